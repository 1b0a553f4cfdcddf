"""Evidence of the claims about noise, epochs, seconds, falling loss and test accuracy."""

from math import log2
from typing import Any

import numpy as np

from experiments.framework.bounds import unless_bounds
from experiments.framework.claim import Evidence, NotJudged, Pairs, Share
from experiments.framework.curves import least_steps, missed
from experiments.framework.statistics import percent
from experiments.mini_batch.learning import TARGET
from experiments.mini_batch.measure import BATCHES, NOISE, TIMES

TWICE = 1.0  # doublings


def evidence(m) -> list[Evidence]:
    if missing := [name for name in (NOISE, TIMES, *BATCHES) if name not in m]:
        return [NotJudged(f"{missing[0]} was not measured")] * 8
    noise = m[NOISE]
    epochs = [[log2(steps) for steps in least_steps(m[name])] for name in BATCHES]
    zeros, (one, few, _, every) = [0.0] * len(epochs[0]), BATCHES
    rises = Pairs(np.diff(epochs, axis=0).min(0).tolist(), zeros)
    return [
        Share(*noise["equal"]),
        Pairs(larger(noise, slope_distance), zeros),
        Pairs(larger(noise, formula_distance), zeros),
        _where_reached(m, BATCHES[:-1], unless_bounds(rises, a=_late(m, every))),
        _faster(m, one, few, 0.0),
        _faster(m, every, few, TWICE),
        Share(*m[every]["falls"]),
        _where_reached(
            m, [one, every], Pairs(*(percent(m[k]["test_at_loss"]) for k in (one, every)))
        ),
    ]


def _where_reached(m, names, pairs: Evidence) -> Evidence:
    """`pairs`, unless a seed of these batch sizes misses the loss: its epochs are a lower bound."""
    late = [_late(m, name) for name in names if missed(m[name])]
    return NotJudged(late[0]) if late else pairs


def _faster(m, slow: str, fast: str, margin: float) -> Evidence:
    """Doublings of seconds, a lower bound where a batch size does not reach the loss."""
    found = Pairs(seconds(m, slow), seconds(m, fast))
    return unless_bounds(found, margin, a=_late(m, slow), b=_late(m, fast))


def _late(m, name: str) -> str:
    """That a seed misses the loss, or an empty text."""
    return f"with {name} per step a seed did not reach {TARGET:g} nats" if missed(m[name]) else ""


def larger(noise, distance) -> list[float]:
    """Of each seed, the larger distance at initial and at trained parameters."""
    return [max(map(distance, points)) for points in zip(*noise["points"].values(), strict=True)]


def slope(point: dict[str, Any]) -> float:
    """The slope of log noise by log size, of least squares."""
    sizes, found = zip(*((int(n), value) for n, value in point["noise"].items()), strict=True)
    return float(np.polyfit(np.log(sizes), np.log(found), 1)[0])


def slope_distance(point) -> float:
    return abs(slope(point) + 0.5)


def formula_distance(point) -> float:
    """Noise of half of the images without replacement: percent of the formula it differs by."""
    return 100 * abs(point["half"] / point["formula"] - 1)


def seconds(m, name) -> list[float]:
    """log2 of the seconds of each seed until the loss is reached."""
    epochs, each = least_steps(m[name]), m[TIMES][name]
    return [log2(n * second) for n, second in zip(epochs, each, strict=True)]
