"""Evidence for the claims, in the order of the record."""

from collections.abc import Mapping, Sequence
from math import log2
from typing import Any

from experiments.framework.claim import Evidence, Pairs, Share
from experiments.memory.gradients import fall
from experiments.memory.measure import ORDER
from experiments.memory.tasks import TASKS


def reach(errors: Mapping[str, Sequence[float]], bound: float) -> list[float]:
    """The largest length with an error below the bound, by seed; half the smallest one if none.

    >>> reach({"5": [1.0, 9.0], "10": [7.0, 9.0]}, 5.0)
    [5.0, 2.5]
    """
    lengths = sorted(map(int, errors))
    seeds = range(len(errors[str(lengths[0])]))
    return [
        max((float(t) for t in lengths if errors[str(t)][seed] < bound), default=lengths[0] / 2)
        for seed in seeds
    ]


def log_reach(m: Mapping[str, Any], task: str, kind: str) -> list[float]:
    return [log2(t) for t in reach(m[f"{task}, {kind}"]["error"], TASKS[task].bound)]


def falls(m: Mapping[str, Any], kind: str, when: str) -> list[float]:
    """Decades per 10 steps, by seed; when: "initial" or "trained"."""
    return [fall(norms) for norms in m[f"adding, {kind}"][when]]


def evidence(m: Mapping[str, Any]) -> list[Evidence]:
    both = lambda kind: [
        (a + b) / 2 for a, b in zip(*(log_reach(m, task, kind) for task in TASKS), strict=True)
    ]
    initial = falls(m, "RNN", "initial")
    ends = [abs(log2(g[0] / g[-1])) for g in m["adding, attention"]["initial"]]
    order = m[ORDER]["without positions"]
    return [
        *(Pairs(log_reach(m, task, "LSTM"), log_reach(m, task, "RNN")) for task in TASKS),
        *(Pairs(both(kind), both("LSTM")) for kind in ("GRU", "attention")),
        Pairs(initial, [0.0] * len(initial)),
        Pairs(initial, falls(m, "LSTM", "initial")),
        Pairs(falls(m, "RNN", "trained"), falls(m, "LSTM", "trained")),
        Pairs(ends, [0.0] * len(ends)),
        Share(order["equal"], order["of"]),
    ]
