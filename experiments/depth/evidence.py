"""Evidence for the claims, in the order of the record."""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from experiments.depth.measure import (
    DEEP,
    DEPTHS,
    MIDDLE,
    NARROW,
    SHALLOW,
    WIDE,
    WIDTHS,
    by_depth,
    by_width,
)
from experiments.depth.networks import KINDS, SHAPES
from experiments.framework.claim import Evidence, NotJudged, Pairs
from experiments.framework.statistics import percent

CLAIMS = 9
NEEDED = (
    *dict.fromkeys(by_depth(kind, depth) for kind in KINDS for depth in DEPTHS),
    *map(by_width, WIDTHS),
    *SHAPES,
)


def best_depth(m: Mapping[str, Any], kind: str) -> int:
    """The depth with the highest validation accuracy, the mean over seeds."""
    score = lambda r: fmean(r["validation"][f"{r['rate']:g}"])
    return max(DEPTHS, key=lambda depth: score(m[by_depth(kind, depth)]))


def evidence(m: Mapping[str, Any]) -> list[Evidence]:
    if missing := [name for name in NEEDED if name not in m]:
        return [NotJudged(f"{missing[0]} was not trained")] * CLAIMS
    pairs = lambda which, a, b: Pairs(percent(m[a][which]), percent(m[b][which]))
    shallow, deep = ({kind: by_depth(kind, d) for kind in KINDS} for d in (SHALLOW, DEEP))
    narrow, middle, wide = map(by_width, (NARROW, MIDDLE, WIDE))
    return [
        pairs("train", shallow["plain"], deep["plain"]),
        pairs("train", deep["residual"], shallow["residual"]),
        pairs("test", deep["residual"], deep["plain"]),
        pairs("test", by_depth("plain", best_depth(m, "plain")), deep["plain"]),
        pairs("test", middle, narrow),
        pairs("test", middle, wide),
        pairs("test", "funnel", "constant"),
        pairs("test", "funnel", "growing"),
        pairs("test", shallow["residual"], by_depth("residual", 2)),
    ]
