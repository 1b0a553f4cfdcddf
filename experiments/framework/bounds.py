"""Differences of steps or rates of which some are bounds: training did not reach a value.

If a is a lower bound, a - b is one too: it can hold, and cannot fail. If b is a lower bound, a - b
is an upper bound: it can fail, and cannot hold.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import log2
from statistics import fmean
from typing import Any

from experiments.framework.claim import Evidence, NotJudged, Pairs
from experiments.framework.curves import least_steps, missed

Result = Mapping[str, Any]  # with the entries `steps` and `all_steps`


def unless_bounds(found: Pairs, margin: float = 0.0, *, a: str = "", b: str = "") -> Evidence:
    """`found`, for a claim "greater", or the reason why its bounds are no evidence.

    Options:
        margin: that of the claim.
        a, b: why entries of a, or of b, are lower bounds: "SGD did not reach 0.1 nats"; empty: they
            are not.

    >>> unless_bounds(Pairs([3.0, 4.0], [1.0, 1.0]), a="SGD did not reach 0.1 nats")
    Pairs(a=[3.0, 4.0], b=[1.0, 1.0], bound='at least')
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
    return replace(found, bound="at least" if a else "at most" if b else "")


def more_steps(
    results: Mapping[str, Result], a: str, b: str, value: str, margin: float = 0.0
) -> Evidence:
    """log2 of the steps of a - log2 of the steps of b, by seed, unless bounds are no evidence.

    Options:
        results: of a and b, by name.
        value: what is reached by these steps: "0.1 nats".
    """
    steps = lambda name: [log2(n) for n in least_steps(results[name])]
    late = lambda name: f"{name} did not reach {value}" if missed(results[name]) else ""
    return unless_bounds(Pairs(steps(a), steps(b)), margin, a=late(a), b=late(b))


def fastest(results: Iterable[Result]) -> Result:
    """The result with the fewest mean steps."""
    return min(results, key=lambda result: fmean(least_steps(result)))
