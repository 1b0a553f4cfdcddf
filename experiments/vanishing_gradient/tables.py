"""Tables: decades by depth, relu with half the weights, and training with each remedy."""

from math import log10

from experiments.framework.statistics import percent, with_spread
from experiments.framework.table import Table
from experiments.vanishing_gradient.evidence import decades, fall
from experiments.vanishing_gradient.measure import GRADIENTS, HALVED, REMEDIES

FALL = "decades of the gradient, last − first hidden layer"


def tables(m) -> list[Table]:
    return [*_gradients(m), *_halved(m), _remedies(m)]


def _gradients(m):
    if GRADIENTS not in m:
        return
    names = tuple(m[GRADIENTS]["rms"])
    rows = [
        (f"{depth}", *(with_spread(list(map(fall, decades(m, f, depth)))) for f in names))
        for depth in m[GRADIENTS]["depths"]
    ]
    yield Table(("hidden layers", *names), rows, title=FALL.capitalize())


def _halved(m):
    if HALVED not in m:
        return
    rows = [
        (f"{depth}", f"2^{depth + 1}", f"{equal:,} of {of:,}")
        for depth, (equal, of) in zip(*m[HALVED].values(), strict=True)
    ]
    head = ("hidden layers", "expected factor", "entries of the gradient with this factor")
    yield Table(head, rows)


def _remedies(m):
    head = ("network", FALL, "learning rate", "training accuracy, %", "test accuracy, %")
    rows = [
        (
            name,
            with_spread([log10(seed[-1] / seed[0]) for seed in r["gradient"]]),
            f"{r['rate']:g}",
            *(with_spread(percent(r[key])) for key in ("train", "test")),
        )
        for name in REMEDIES
        if (r := m.get(name))
    ]
    return Table(head, rows, narrow=True, best=dict.fromkeys(head[3:], "highest"))
