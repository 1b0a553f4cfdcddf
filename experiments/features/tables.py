"""Tables: probes by layer, filters of the first layer, and receptive fields."""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from experiments.features.evidence import selective
from experiments.features.measure import CHAINS, LEARNED, NAMES, RANDOM
from experiments.framework.statistics import percent, with_spread
from experiments.framework.table import Best, Table


def tables(m: Mapping[str, Any]) -> list[Table]:
    return [*_probes(m), *_filters(m), *_fields(m)]


def _probes(m):
    best: dict[str, Best] = {"test accuracy, %": "highest"}
    rows = [
        (f"{name}, {layer}" if len(r["probes"]) > 1 else name, f"{found['strength']:g}", accuracy)
        for name in NAMES
        if (r := m.get(name))
        for layer, found in r["probes"].items()
        for accuracy in [with_spread(percent(found["test"]))]
    ]
    if LEARNED in m:
        whole = with_spread(percent(m[LEARNED]["accuracy"]))
        rows.append(("the trained network itself", "–", whole))
    head = ("features", "strength of the penalty", *best)
    return [Table(head, rows, best=best, title="Linear probes")]


def _filters(m):
    rows = []
    for name in (RANDOM, LEARNED):
        if name in m:
            index = [fmean(each) for each in m[name]["selectivity"]]
            above, of = selective(m[name])
            share = f"{above} of {of}"
            rows.append((name, with_spread(index, 2), f"{m[name]['threshold']:.2f}", share))
    head = ("filters", "selectivity index, mean", "threshold of the index", "filters above")
    return [Table(head, rows, title="Filters of the first layer")] if rows else []


def _fields(m):
    head = ("network, layer", "side by formula, pixels", "seeds with exactly this square")
    head += ("receptive field, pixels", "effective receptive field, pixels")
    named = {
        f"{name}, {layer}": field
        for name in (RANDOM, LEARNED)
        if name in m
        for layer, field in m[name]["fields"].items()
    } | {f"chain, {depth} layers": field for depth, field in m.get(CHAINS, {}).items()}
    rows = [
        (
            name,
            f"{field['side']}",
            f"{sum(field['exact'])} of {len(field['exact'])}",
            f"{field['side'] ** 2}",
            with_spread(field["effective"]),
        )
        for name, field in named.items()
    ]
    return [Table(head, rows, narrow=True, title="Receptive fields")] if rows else []
