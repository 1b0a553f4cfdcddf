"""Tables: networks by depth, by width and by shape."""

from collections.abc import Mapping
from typing import Any

from experiments.depth.measure import DEPTHS, WIDTHS, by_depth, by_width
from experiments.depth.networks import KINDS, SHAPES
from experiments.framework.statistics import percent, with_spread
from experiments.framework.table import Best, Table

HEAD = ("parameters", "learning rate", "training accuracy, %", "test accuracy, %")
BEST: Mapping[str, Best] = dict.fromkeys(HEAD[2:], "highest")


def tables(m: Mapping[str, Any]) -> list[Table]:
    deep = dict.fromkeys(by_depth(kind, depth) for kind in KINDS for depth in DEPTHS)
    named = {
        "Networks by depth": {name: name for name in deep},
        "One hidden layer by width": {by_width(width): f"{width:,} units" for width in WIDTHS},
        "Four hidden layers by shape": {name: _shape(m, name) for name in SHAPES if name in m},
    }
    rows = {
        title: [_row(text, m[name]) for name, text in names.items() if name in m]
        for title, names in named.items()
    }
    head = ("network", *HEAD)
    return [Table(head, each, narrow=True, best=BEST, title=t) for t, each in rows.items() if each]


def _shape(m, name):
    return f"{name}, {'-'.join(map(str, m[name]['units']))}"


def _row(text, r):
    accuracies = (with_spread(percent(r[which])) for which in ("train", "test"))
    return (text, f"{r['parameters']:,}", f"{r['rate']:g}", *accuracies)
