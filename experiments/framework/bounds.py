<<<<<<< HEAD
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
=======
"""Comparison of values that may be lower bounds, such as steps to a value that is not reached.

If a is a lower bound, a − b is one too. If b is a lower bound, a − b is an upper bound.
"""

from collections.abc import Iterable, Mapping
from math import log2
from statistics import fmean
from typing import Any

from experiments.framework.claim import Evidence, NotJudged, Pairs
from experiments.framework.curves import least_steps, missed

Result = Mapping[str, Any]  # with the entries `steps` and `all_steps`


def bounded(found: Pairs, margin: float, *, a: bool, b: bool, reason: str) -> Evidence:
    """`found` if its mean difference decides on the side of the margin, else `reason`.

    Options:
        a, b: whether the values of this side are lower bounds.
    """
    difference = fmean(found.a) - fmean(found.b)
    decided = (not a or difference > margin) and (not b or difference < margin)
    return found if decided else NotJudged(reason)


def more_steps(a: Result, b: Result, margin: float, reason: str) -> Evidence:
    """log2 of the steps of a − log2 of the steps of b, by seed."""
    found = Pairs(*([log2(steps) for steps in least_steps(r)] for r in (a, b)))
    return bounded(found, margin, a=missed(a) > 0, b=missed(b) > 0, reason=reason)


def fastest(results: Iterable[Result]) -> Result:
    """The result with the fewest mean steps."""
    return min(results, key=lambda result: fmean(least_steps(result)))
>>>>>>> mend1
