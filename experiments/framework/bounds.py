"""Differences of steps or rates of which some are bounds: training did not reach a value."""

from statistics import fmean

from experiments.framework.claim import Evidence, NotJudged, Pairs


def unless_bounds(found: Pairs, margin: float = 0.0, *, a: str = "", b: str = "") -> Evidence:
    """`found`, for a claim "greater", or the reason why its bounds are no evidence.

    If entries of a are lower bounds, so is the difference: it can hold, and cannot fail. If entries
    of b are, the difference is an upper bound: it can fail, and cannot hold.

    Options:
        margin: that of the claim.
        a, b: why entries of a, or of b, are lower bounds: "SGD did not reach 0.1 nats"; empty: they
            are not.

    >>> unless_bounds(Pairs([3.0, 4.0], [1.0, 1.0]), a="SGD did not reach 0.1 nats")
    Pairs(a=[3.0, 4.0], b=[1.0, 1.0])
    >>> unless_bounds(Pairs([3.0, 4.0], [4.0, 4.0]), a="SGD did not reach 0.1 nats")
    NotJudged(reason='SGD did not reach 0.1 nats: the difference is at least -0.5')
    """
    mean = fmean(found.a) - fmean(found.b)
    if a and b:
        return NotJudged(f"{a}, and {b}")
    if a and mean <= margin:
        return NotJudged(f"{a}: the difference is at least {mean:.1f}")
    if b and mean >= margin:
        return NotJudged(f"{b}: the difference is at most {mean:.1f}")
    return found
