"""Evidence for the claims, in the order of the record."""

from collections.abc import Mapping, Sequence
from math import log2
from statistics import fmean
from typing import Any

from experiments.framework.bounds import unless_bounds
from experiments.framework.claim import Evidence, NotJudged, Pairs, Share
from experiments.memory.gradients import fall
from experiments.memory.measure import ORDER
from experiments.memory.tasks import TASKS

TWICE = 1.0  # doublings


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
    initial = falls(m, "RNN", "initial")
    zeros = [0.0] * len(initial)
    order = m[ORDER]["without positions"]
    return [
        *(farther(m, task) for task in TASKS),
        *(Pairs(both(m, kind), both(m, "LSTM")) for kind in ("GRU", "attention")),
        Pairs(initial, zeros),
        Pairs(initial, falls(m, "LSTM", "initial")),
        Pairs(falls(m, "RNN", "trained"), falls(m, "LSTM", "trained")),
        Pairs(falls(m, "attention", "initial"), zeros),
        Share(order["equal"], order["of"]),
    ]


def farther(m: Mapping[str, Any], task: str) -> Evidence:
    """Reach of LSTM and RNN in doublings; not judged where the lengths are too short or too long.

    A network that reaches the largest length may reach farther.
    """
    of, than = (log_reach(m, task, kind) for kind in ("LSTM", "RNN"))
    lengths = list(map(int, m[f"{task}, LSTM"]["error"]))
    if max(*of, *than) < log2(min(lengths)):
        return NotJudged(f"neither reaches T = {min(lengths)}; write a larger --steps")
    longest = max(lengths)
    at_end = lambda kind, by: f"{kind} reaches T = {longest}" if max(by) == log2(longest) else ""
    return unless_bounds(Pairs(of, than), TWICE, a=at_end("LSTM", of), b=at_end("RNN", than))


def both(m: Mapping[str, Any], kind: str) -> list[float]:
    """Reach in doublings, the mean of both tasks, by seed."""
    return [fmean(each) for each in zip(*(log_reach(m, t, kind) for t in TASKS), strict=True)]
