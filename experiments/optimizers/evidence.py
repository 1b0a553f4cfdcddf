"""Evidence for the claims, in the order of the record."""

from collections.abc import Mapping, Sequence
from math import log2
from statistics import fmean

import numpy as np

from experiments.framework.bounds import unless_bounds
from experiments.framework.claim import Evidence, NotJudged, Pairs, Share
from experiments.framework.curves import least_steps, missed
from experiments.framework.statistics import percent
from experiments.optimizers.measure import EFFECTIVE, PATHS, TARGET, lost, trained_part
from experiments.optimizers.methods import METHODS
from experiments.optimizers.networks import NETWORKS

STRAIGHTER = ("momentum", "AdaGrad", "Adam")  # than SGD, by the textbook's figure
DOUBLINGS = "doublings"
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
    return Share(sum(found), len(found), exhaustive=True)


def turns_less(paths, name: str) -> list[bool]:
    """Whether y changes its sign less often than with SGD, start by start and rate by rate."""
    pairs = zip(paths[name]["turns"], paths["SGD"]["turns"], strict=True)
    return [own < sgd for own, sgd in pairs]


def _falls(result) -> Share:
    return Share(result["fell"], result["of"])


def _training(m) -> list[Evidence]:
    sensitivity = lambda method: _over_networks([lost(each) for each in of_method(m, method)])
    network, best, average = furthest(m)
    test = lambda method: percent(m[trained_part(network, method)]["test"])
    return [
        *(_faster(m, "SGD", "Adam", [network]) for network in NETWORKS),
        _faster(m, "SGD", "momentum", list(NETWORKS)),
        _faster(m, "momentum", "Nesterov", list(NETWORKS)),
        Pairs(sensitivity("SGD"), sensitivity("Adam")),
        Pairs(test(best), test(average)),
    ]


def validation_scores(m) -> dict[str, dict[str, float]]:
    """Mean accuracy on validation images at the best rate, by network and method."""
    score = lambda r: fmean(r["validation"][r["rates"].index(r["rate"])])
    return {
        network: {name: score(m[trained_part(network, name)]) for name in METHODS}
        for network in NETWORKS
    }


def furthest(m) -> tuple[str, str, str]:
    """A network, its best method, and the method that is best on average over networks.

    It is the network where the two differ most. Accuracies are those of validation images.
    """
    scores = validation_scores(m)
    average = max(METHODS, key=lambda name: fmean(each[name] for each in scores.values()))
    behind = {name: max(each.values()) - each[average] for name, each in scores.items()}
    network = max(behind, key=behind.__getitem__)
    return network, best_of(scores[network]), average


def best_of(scores: Mapping[str, float]) -> str:
    return max(scores, key=scores.__getitem__)


def of_method(m, method: str) -> list[dict]:
    """The results of a method, network by network."""
    return [m[trained_part(network, method)] for network in NETWORKS]


def _over_networks(values: Sequence[Sequence[float]]) -> list[float]:
    """Means over the networks, by seed."""
    return np.mean(values, axis=0).tolist()


def _faster(m, slow: str, fast: str, networks: Sequence[str]) -> Evidence:
    """Doublings of steps, a bound where a method does not reach the loss."""
    of = lambda method: [m[trained_part(network, method)] for network in networks]
    doublings = lambda rs: _over_networks([[log2(n) for n in least_steps(r)] for r in rs])
    late = lambda name: (
        f"{name} did not reach {TARGET:g} nats" if any(map(missed, of(name))) else ""
    )
    found = Pairs(doublings(of(slow)), doublings(of(fast)))
    return unless_bounds(found, a=late(slow), b=late(fast))
