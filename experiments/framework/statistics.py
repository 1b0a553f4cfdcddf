"""Statistics of verdicts: Student's t over pairs, Holm's adjustment, bounds of shares.

For differences d_1 … d_n with mean d̄ and standard deviation s (divisor n - 1),

    t = (d̄ - margin) / (s / √n)        p = P(|T| ≥ |t|), T of Student's t with n - 1 degrees
    interval: d̄ ± t* s / √n            P(|T| ≤ t*) = 0.95

Source: Student 1908; Holm 1979; Clopper & Pearson 1934.
"""

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import NamedTuple

from scipy.special import betaincinv, stdtr, stdtrit

LEVEL = 0.05  # the largest probability that a run judges any claim wrongly by chance
ROUNDING = 1e-12  # relative to the largest value: smaller differences are rounding


class Estimate(NamedTuple):
    """A mean difference with its 95 % interval, and the p-value of the distance to the margin."""

    n: int
    mean: float
    low: float
    high: float
    p: float


def paired(a: Sequence[float], b: Sequence[float], margin: float = 0.0) -> Estimate:
    """The mean of a - b, tested against `margin`; entry i of both is of pair i, n ≥ 2.

    If all differences are equal, p is 0, or 1 if they equal the margin.
    """
    d = [x - y for x, y in zip(a, b, strict=True)]
    n, mean, s = len(d), fmean(d), stdev(d)
    rounding = ROUNDING * max(map(abs, (*a, *b, margin)))
    if s <= rounding:
        return Estimate(n, mean, mean, mean, float(abs(mean - margin) <= rounding))
    error = s / math.sqrt(n)
    half = float(stdtrit(n - 1, 1 - LEVEL / 2)) * error
    p = 2 * float(stdtr(n - 1, -abs(mean - margin) / error))
    return Estimate(n, mean, mean - half, mean + half, p)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values: the i-th smallest of m is multiplied by m - i + 1.

    A run that accepts what is below LEVEL errs in any of its m tests with probability ≤ LEVEL.
    """
    adjusted, largest = [0.0] * len(p), 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        largest = max(largest, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = largest
    return adjusted


def share_interval(k: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of which k of n cases are observed (Clopper-Pearson)."""
    low = float(betaincinv(k, n - k + 1, LEVEL / 2)) if k else 0.0
    high = float(betaincinv(k + 1, n - k, 1 - LEVEL / 2)) if k < n else 1.0
    return low, high


def with_spread(values: Sequence[float], digits: int = 1) -> str:
    """The mean of values by seed ± one standard deviation, as text.

    >>> with_spread([1.0, 2.0, 3.0]), with_spread([98.0], 2)
    ('2.0 ± 1.0', '98.00')
    """
    text = f"{fmean(values):.{digits}f}"
    return f"{text} ± {stdev(values):.{digits}f}" if len(values) > 1 else text


def upper_bound(k: int, n: int, confidence: float = 0.95) -> float:
    """The one-sided upper bound of a rate that is observed k times in n (Clopper-Pearson).

    >>> round(upper_bound(0, 100), 4)
    0.0295
    """
    return float(betaincinv(k + 1, n - k, confidence)) if k < n else 1.0


def points(a: Sequence[float], b: Sequence[float]) -> list[float]:
    """a − b of shares by seed, in percentage points.

    >>> points([0.5, 1.0], [0.25, 1.0])
    [25.0, 0.0]
    """
    return [100 * (x - y) for x, y in zip(a, b, strict=True)]


def percent(shares: Sequence[float]) -> list[float]:
    """
    >>> percent([0.25, 1.0])
    [25.0, 100.0]
    """
    return [100 * share for share in shares]
