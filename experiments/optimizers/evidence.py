"""Evidence for the claims, in the order of the record."""

from collections.abc import Sequence
from math import log2
from statistics import fmean

import numpy as np

from experiments.framework.claim import Evidence, NotJudged, Pairs, Share
from experiments.framework.curves import least_steps, missed
from experiments.optimizers.measure import EFFECTIVE, PATHS, TARGET, lost, trained_part
from experiments.optimizers.methods import METHODS
from experiments.optimizers.networks import NETWORKS

STRAIGHTER = ("momentum", "AdaGrad", "Adam")  # than SGD, by the textbook's figure
DOUBLINGS, TWICE = "doublings", 1.0
BEHIND = 0.5  # percentage points


def evidence(m) -> list[Evidence]:
    needed = [trained_part(network, method) for network in NETWORKS for method in METHODS]
    absent = [name for name in needed if name not in m]
    return [
        _zigzag(m[PATHS]) if PATHS in m else _missing(PATHS),
        _falls(m[EFFECTIVE]["AdaGrad"]) if EFFECTIVE in m else _missing(EFFECTIVE),
        *([_missing(absent[0])] * 7 if absent else _training(m)),
    ]


def _missing(name) -> NotJudged:
    return NotJudged(f"{name} was not measured")


def _zigzag(paths) -> Share:
    found = [case for name in STRAIGHTER for case in turns_less(paths, name)]
    return Share(sum(found), len(found))


def turns_less(paths, name: str) -> list[bool]:
    """Whether y changes its sign less often than with SGD, start by start and rate by rate."""
    pairs = zip(paths[name]["turns"], paths["SGD"]["turns"], strict=True)
    return [own < sgd for own, sgd in pairs]


def _falls(result) -> Share:
    return Share(result["fell"], result["of"])


def _training(m) -> list[Evidence]:
    sensitivity = lambda method: _over_networks([lost(each) for each in of_method(m, method)])
    behind = points_behind(m)
    return [
        *(_faster(m, "SGD", "Adam", TWICE, [network]) for network in NETWORKS),
        _faster(m, "SGD", "momentum", TWICE, list(NETWORKS)),
        _faster(m, "momentum", "Nesterov", 0.0, list(NETWORKS)),
        Pairs(sensitivity("SGD"), sensitivity("Adam")),
        Share(sum(max(each) >= BEHIND for each in behind.values()), len(behind), exhaustive=True),
    ]


def of_method(m, method: str) -> list[dict]:
    """The results of a method, network by network."""
    return [m[trained_part(network, method)] for network in NETWORKS]


def points_behind(m) -> dict[str, list[float]]:
    """Test accuracy of each method below the highest, network by network, in percentage points."""
    means = {name: [100 * fmean(r["test"]) for r in of_method(m, name)] for name in METHODS}
    highest = [max(each) for each in zip(*means.values(), strict=True)]
    return {
        name: [top - own for top, own in zip(highest, each, strict=True)]
        for name, each in means.items()
    }


def _over_networks(values: Sequence[Sequence[float]]) -> list[float]:
    """Means over the networks, by seed."""
    return np.mean(values, axis=0).tolist()


def _faster(m, slow: str, fast: str, margin: float, networks: Sequence[str]) -> Evidence:
    """Doublings of steps, a lower bound where the slow method does not reach the loss."""
    of = lambda method: [m[trained_part(network, method)] for network in networks]
    if any(map(missed, of(fast))):
        return NotJudged(f"{fast} did not reach {TARGET:g} nats; write a larger --epochs")
    doublings = lambda rs: _over_networks([[log2(n) for n in least_steps(r)] for r in rs])
    found = Pairs(doublings(of(slow)), doublings(of(fast)))
    mean = fmean(found.a) - fmean(found.b)
    if any(map(missed, of(slow))) and mean <= margin:
        least = f"the difference is at least {mean:.1f} {DOUBLINGS}"
        return NotJudged(f"{slow} did not reach {TARGET:g} nats: {least}; write a larger --epochs")
    return found
