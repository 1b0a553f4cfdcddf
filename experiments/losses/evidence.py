"""Evidence of the claims about gradients, steps to an accuracy, and test accuracy."""

from collections.abc import Sequence
from math import log2
from statistics import fmean

import numpy as np

from experiments.framework.bounds import unless_bounds
from experiments.framework.claim import Evidence, NotJudged, Pairs, Share
from experiments.framework.curves import least_steps, missed
from experiments.framework.statistics import percent
from experiments.losses.learning import TARGET
from experiments.losses.measure import GRADIENTS, LOGITS
from experiments.losses.pairs import PAIRS

MATCHED = ("identity, squared error", "sigmoid, cross entropy", "softmax, cross entropy")
BEST, SOFTMAX, IDENTITY = "softmax, cross entropy", "softmax, squared error", MATCHED[0]


def evidence(m) -> list[Evidence]:
    if missing := [name for name in (GRADIENTS, LOGITS, *PAIRS) if name not in m]:
        return [NotJudged(f"{missing[0]} was not measured")] * 8
    found, test = m[GRADIENTS], {name: percent(m[name]["test"]) for name in PAIRS}
    return [
        Share(*np.sum([found["differences"][name] for name in MATCHED], 0).tolist()),
        *(Share(*found[name]) for name in ("jacobians", "vanishing", "two logits")),
        Share(*m[LOGITS]["equal"]),
        _faster(m, SOFTMAX),
        _faster(m, IDENTITY),
        Pairs(test[BEST], test[more_accurate(m, (SOFTMAX, IDENTITY))]),
    ]


def _faster(m, slow: str) -> Evidence:
    """Doublings of steps, a bound where a network does not reach the accuracy."""
    steps = lambda name: [log2(n) for n in least_steps(m[name])]
    late = lambda name: f"{name} did not reach {100 * TARGET:g} %" if missed(m[name]) else ""
    return unless_bounds(Pairs(steps(slow), steps(BEST)), a=late(slow), b=late(BEST))


def more_accurate(m, names: Sequence[str]) -> str:
    """The name with the higher mean accuracy on validation images, each at its best rate."""
    return max(names, key=lambda name: fmean(m[name]["validation"][f"{m[name]['rate']:g}"]))
