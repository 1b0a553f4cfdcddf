"""Evidence of the claims about gradients, steps to an accuracy, and test accuracy."""

from collections.abc import Sequence
from statistics import fmean

import numpy as np

from experiments.framework.bounds import more_steps
from experiments.framework.claim import Evidence, NotJudged, Pairs, Share
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
        more_steps(m, SOFTMAX, BEST, f"{100 * TARGET:g} %"),
        more_steps(m, IDENTITY, BEST, f"{100 * TARGET:g} %"),
        Pairs(test[BEST], test[more_accurate(m, (SOFTMAX, IDENTITY))]),
    ]


def more_accurate(m, names: Sequence[str]) -> str:
    """The name with the higher mean accuracy on validation images, each at its best rate."""
    return max(names, key=lambda name: fmean(m[name]["validation"][f"{m[name]['rate']:g}"]))
