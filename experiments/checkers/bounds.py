"""Upper confidence bounds of a rate that is observed k times in n."""

from math import exp, lgamma, log


def upper_bound(k: int, n: int, confidence: float = 0.95) -> float:
    """The one-sided upper bound of Clopper and Pearson (1934): the rate p with P(≤ k of n) = 1 - c.

    >>> round(upper_bound(0, 100), 4)
    0.0295
    """
    if k >= n:
        return 1.0
    low, high = k / n, 1.0
    while high - low > 1e-9:
        p = (low + high) / 2
        low, high = (p, high) if _at_most(k, n, p) > 1 - confidence else (low, p)
    return high


def _at_most(k, n, p):
    """The probability of at most k successes in n trials."""
    choose = lambda j: lgamma(n + 1) - lgamma(j + 1) - lgamma(n - j + 1)
    return sum(exp(choose(j) + j * log(p) + (n - j) * log(1 - p)) for j in range(k + 1))
