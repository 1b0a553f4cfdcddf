"""Evidence of the claims about gradients, steps to an accuracy, and test accuracy."""

from math import log2

import numpy as np

from experiments.framework.claim import Evidence, NotJudged, Pairs, Share
from experiments.framework.curves import least_steps
from experiments.framework.statistics import percent
from experiments.losses.learning import LOGITS
from experiments.losses.measure import GRADIENTS
from experiments.losses.pairs import PAIRS

MATCHED = ("identity, squared error", "sigmoid, cross entropy", "softmax, cross entropy")
BEST, SOFTMAX, IDENTITY = "softmax, cross entropy", "softmax, squared error", MATCHED[0]


def evidence(m) -> list[Evidence]:
    if missing := [name for name in (GRADIENTS, *PAIRS, *LOGITS) if name not in m]:
        return [NotJudged(f"{missing[0]} was not measured")] * 8
    found, test = m[GRADIENTS], {name: percent(m[name]["test"]) for name in (*PAIRS, *LOGITS)}
    steps = {name: [log2(n) for n in least_steps(m[name])] for name in PAIRS}
    one, two = (np.array(test[name]) for name in LOGITS)
    squared = [max(both) for both in zip(test[SOFTMAX], test[IDENTITY], strict=True)]
    return [
        Share(*np.sum([found["differences"][name] for name in MATCHED], 0).tolist()),
        *(Share(*found[name]) for name in ("jacobians", "vanishing", "two logits")),
        Pairs(np.abs(one - two).tolist(), [0.0] * len(one)),
        Pairs(steps[SOFTMAX], steps[BEST]),
        Pairs(steps[IDENTITY], steps[BEST]),
        Pairs(test[BEST], squared),
    ]
