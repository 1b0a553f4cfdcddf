"""Evidence for the claims, in the order of the record."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np

from experiments.dropout.equivalence import CLOSE
from experiments.dropout.masks import AVERAGED, LINEAR, NETWORK
from experiments.dropout.measure import (
    ALONE,
    BOTH,
    DECAYED,
    DROPPED,
    EQUIVALENCE,
    MASKED,
    SPEED,
    WITH_MASKS,
    Setting,
)
from experiments.dropout.speed import TARGET
from experiments.framework.bounds import more_steps
from experiments.framework.claim import Evidence, Pairs, Share
from experiments.framework.statistics import percent, points

USUAL = MASKED[-1]  # dropout rate
MODERATE = (0.2, 0.35, 0.5, 0.65)
MARGIN = 1.0  # percentage points between the two kinds of evaluation
TWICE = 1.0  # doublings


def evidence(m) -> list[Evidence]:
    linear = [m[s.name]["agreement"][form] for s in WITH_MASKS for form in LINEAR]
    usual, none = m[Setting(USUAL).name], m[Setting(0.0).name]
    forms = usual["agreement"]
    close = [d <= CLOSE for differences in m[EQUIVALENCE].values() for d in differences]
    slopes, away = slope_of_gap(m), distance_of_average(usual)
    moderate = best(m, [Setting(p) for p in MODERATE])
    speed = {"dropout": usual[SPEED], "no dropout": none[SPEED]}
    return [
        Share(sum(r["within"] for r in linear), sum(r["of"] for r in linear)),
        Pairs(forms[NETWORK]["difference"], forms["inverted"]["difference"]),
        Share(sum(close), len(close)),
        Pairs(slopes, [0.0] * len(slopes)),
        Pairs(percent(moderate["test"]), percent(none["test"])),
        more_steps(speed, "dropout", "no dropout", f"{TARGET:g} nats", TWICE),
        Pairs(*(percent(of(m)["test"]) for of in (combined, better_alone))),
        Pairs(away, [MARGIN] * len(away)),
    ]


def best(m: dict[str, Any], settings: Sequence[Setting]) -> dict[str, Any]:
    """The result with the highest mean validation accuracy."""
    return max((m[setting.name] for setting in settings), key=lambda r: fmean(r["validation"]))


def dropout_alone(m: dict[str, Any]) -> dict[str, Any]:
    return best(m, WITH_MASKS)


def decay_alone(m: dict[str, Any]) -> dict[str, Any]:
    return best(m, DECAYED)


def better_alone(m: dict[str, Any]) -> dict[str, Any]:
    return best(m, [*WITH_MASKS, *DECAYED])


def combined(m: dict[str, Any]) -> dict[str, Any]:
    return best(m, BOTH)


def gap(result: dict[str, Any]) -> list[float]:
    """Training − test accuracy by seed, in percentage points."""
    return points(result["train"], result["test"])


def slope_of_gap(m: dict[str, Any]) -> list[float]:
    """The slope of the gap over dropout rates by least squares, by seed, in points per 0.1."""
    gaps = np.array([gap(m[setting.name]) for setting in ALONE])
    return (0.1 * np.polyfit(DROPPED, gaps, 1)[0]).tolist()


def distance_of_average(result: dict[str, Any]) -> list[float]:
    """|accuracy of the mean over 50 masks − accuracy of evaluation| by seed, in points."""
    return [abs(d) for d in points(result["averages"][f"{AVERAGED[-1]}"], result["test"])]
