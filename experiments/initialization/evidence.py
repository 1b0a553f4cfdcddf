"""Evidence for the claims, in the order of the record, from what was measured at each start."""

from math import log2
from typing import Any

import numpy as np

from experiments.framework.claim import Evidence, NotJudged, Pairs, Share
from experiments.framework.statistics import percent
from experiments.initialization.measure import BINS
from experiments.initialization.networks import ACTIVATIONS

SATURATED, CENTRED = 50.0, 90.0  # percent of activations
ABOVE_CHANCE = 10.0  # percentage points
TENTH = BINS // 10


def evidence(m: dict[str, Any]) -> list[Evidence]:
    if missing := [name for name in ACTIVATIONS if name not in m]:
        return [NotJudged(f"{missing[0]} was not measured")] * 8
    at = {name: m[name]["starts"] for name in ACTIVATIONS}
    low, high = at["sigmoid"]["sd 0.01"], at["sigmoid"]["sd 1"]
    zeros = [starts["zeros"] for starts in at.values()]
    return [
        Pairs(outer(high), [SATURATED] * len(outer(high))),
        Pairs(middle(low), [CENTRED] * len(middle(low))),
        Share(sum(sum(r["equal"]) for r in zeros), sum(len(r["equal"]) * r["of"] for r in zeros)),
        _near_chance(zeros, 100 / m["sigmoid"]["classes"]),
        _scales(at["tanh"]["Xavier"]),
        _scales(at["relu"]["He"]),
        _more_accurate(at["relu"], "He", "sd 0.01"),
        _more_accurate(at["tanh"], "Xavier", "sd 1"),
    ]


def outer(result: dict[str, Any]) -> list[float]:
    """Percent of activations of all layers in the two outer tenths of their range, by seed."""
    shares = np.array(result["histogram"])
    return percent((shares[..., :TENTH].sum(-1) + shares[..., -TENTH:].sum(-1)).mean(1).tolist())


def middle(result: dict[str, Any]) -> list[float]:
    """Percent of activations of all layers in the two middle tenths of their range, by seed."""
    shares = np.array(result["histogram"])
    centre = slice(BINS // 2 - TENTH, BINS // 2 + TENTH)
    return percent(shares[..., centre].sum(-1).mean(1).tolist())


def _near_chance(zeros, chance) -> Evidence:
    trained = [percent(r["test"]) for r in zeros if r["test"]]
    if not trained:
        return NotJudged("from zeros, training diverged at every rate")
    best = list(map(max, zip(*trained, strict=True)))
    return Pairs(best, [chance + ABOVE_CHANCE] * len(best))


def _scales(result) -> Evidence:
    logs = [list(map(log2, seed)) for seed in result["rms"]]
    return Pairs(list(map(max, logs)), list(map(min, logs)))


def _more_accurate(starts, a, b) -> Evidence:
    for name in (a, b):
        if not starts[name]["test"]:
            return NotJudged(f"from {name}, training diverged at every rate")
    return Pairs(percent(starts[a]["test"]), percent(starts[b]["test"]))
