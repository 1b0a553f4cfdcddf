"""Evidence for the claims, in the order of the record."""

from collections.abc import Sequence
from math import log2
from statistics import fmean

from experiments.activations.learning import HIGH, TARGET, USUAL, accuracy_at, dead_at
from experiments.activations.measure import SLOPES
from experiments.activations.slopes import BOUNDS
from experiments.framework.claim import Evidence, NotJudged, Pairs, Share
from experiments.framework.curves import least_steps, missed

CURES = ("leaky relu", "ELU", "swish", "mish")
DOUBLINGS, TWICE = "doublings", 1.0


def evidence(m) -> list[Evidence]:
    relu, conv, frelu = m["relu"], m["relu, conv"], m["FReLU, conv"]
    slower = lambda result: Pairs(
        *(_doublings(result["seconds"][name]) for name in ("sigmoid", "relu"))
    )
    cured = map(max, zip(*(dead_at(m[name], HIGH) for name in CURES), strict=True))
    return [
        *(Share(m[SLOPES][name]["within"], m[SLOPES][name]["of"]) for name in BOUNDS),
        _learning(m["sigmoid"], relu),
        Pairs(accuracy_at(m["tanh"]), accuracy_at(m["sigmoid"])),
        slower(m["time in the cache"]),
        slower(m["time beyond the cache"]),
        Pairs(dead_at(relu, HIGH), dead_at(relu, USUAL)),
        Pairs(dead_at(relu, HIGH), list(cured)),
        Pairs(accuracy_at(m["leaky relu"], HIGH), accuracy_at(relu, HIGH)),
        Pairs(dead_at(conv, HIGH), dead_at(frelu, HIGH)),
        Pairs(accuracy_at(frelu), accuracy_at(conv)),
    ]


def _doublings(values: Sequence[float]) -> list[float]:
    return [log2(value) for value in values]


def _learning(sigmoid, relu) -> Evidence:
    """Doublings of steps, which are a lower bound where sigmoid does not reach the loss."""
    if failures := missed(relu):
        of = f"{failures} of {len(relu['steps'])} seeds"
        return NotJudged(f"relu did not reach {TARGET:g} nats with {of}; write a larger --epochs")
    found = Pairs(_doublings(least_steps(sigmoid)), _doublings(least_steps(relu)))
    mean = fmean(found.a) - fmean(found.b)
    if missed(sigmoid) and mean <= TWICE:
        least = f"the difference is at least {mean:.1f} {DOUBLINGS}"
        return NotJudged(f"sigmoid did not reach {TARGET:g} nats: {least}; write a larger --epochs")
    return found
