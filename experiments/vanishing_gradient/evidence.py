"""Evidence for the claims, in the order of the record."""

from math import log10
from typing import Any

from experiments.framework.claim import Evidence, NotJudged, Pairs, Share
from experiments.framework.statistics import percent
from experiments.vanishing_gradient.measure import GRADIENTS, HALVED, REMEDIES
from experiments.vanishing_gradient.networks import CLAIMED, DEEPEST


def evidence(m: dict[str, Any]) -> list[Evidence]:
    if missing := [name for name in (GRADIENTS, HALVED, *REMEDIES) if name not in m]:
        return [NotJudged(f"{missing[0]} was not measured")] * 8
    sigmoid, tanh = (decades(m, name, CLAIMED) for name in ("sigmoid", "tanh"))
    deep = decades(m, "relu", DEEPEST)
    counts = m[HALVED]["counts"]
    test = {name: percent(m[name]["test"]) for name in REMEDIES}
    better = lambda name, than: Pairs(test[name], test[than])
    return [
        Pairs([seed[-1] for seed in sigmoid], [seed[0] for seed in sigmoid]),
        Pairs(list(map(fall, sigmoid)), list(map(fall, tanh))),
        Pairs(list(map(max, deep)), list(map(min, deep))),
        Share(sum(equal for equal, _ in counts), sum(of for _, of in counts)),
        better("batch norm", "plain"),
        better("residual", "plain"),
        better("pretraining", "plain"),
        better("relu, pretraining", "relu"),
    ]


def decades(m: dict[str, Any], activation: str, depth: int) -> list[list[float]]:
    """log10 of the RMS of the gradient, by seed and by hidden layer."""
    found = m[GRADIENTS]
    seeds = found["rms"][activation][found["depths"].index(depth)]
    return [list(map(log10, seed)) for seed in seeds]


def fall(by_layer: list[float]) -> float:
    """Decades from the last hidden layer to the first."""
    return by_layer[-1] - by_layer[0]
