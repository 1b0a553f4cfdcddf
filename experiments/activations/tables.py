"""Tables: slopes, training with each activation, and time per number."""

from statistics import fmean, median

from experiments.activations.learning import HIGH, TARGET, USUAL, accuracy_at, dead_at
from experiments.activations.measure import SLOPES
from experiments.activations.networks import KINDS
from experiments.activations.slopes import BOUNDS, FUNCTIONS
from experiments.activations.timing import SIZES
from experiments.framework.curves import mean_steps
from experiments.framework.table import Best, Table


def tables(m) -> list[Table]:
    return [_slopes(m), _training(m), _times(m)]


def _slopes(m):
    found = m.get(SLOPES, {})
    rows = [
        (name, f"{bound:g}", f"{r['largest']:g}", f"{r['within']:,}", f"{r['of']:,}")
        for name, bound in BOUNDS.items()
        if (r := found.get(name))
    ]
    head = ("function", "slope of the claim", "largest slope")
    return Table((*head, "float32 numbers within", "float32 numbers"), rows)


def _training(m):
    steps = f"steps to {TARGET:g} nats"
    head = ("activation", "best learning rate", steps, "test accuracy, %")
    head += (f"test accuracy at {HIGH:g}, %",)
    head += tuple(f"dead units at {rate:g}, %" for rate in (USUAL, HIGH))
    best: dict[str, Best] = dict.fromkeys(head[3:5], "highest")
    best |= dict.fromkeys((head[2], *head[5:]), "lowest")
    return Table(head, [_row(name, m[name]) for name in KINDS if name in m], narrow=True, best=best)


def _row(name, r):
    at = lambda f, rate: f"{fmean(f(r, rate)):.1f}" if rate in r["rates"] else "–"
    accuracies = (at(accuracy_at, r["best"]), at(accuracy_at, HIGH))
    return (
        name,
        f"{r['best']:g}",
        mean_steps(r),
        *accuracies,
        at(dead_at, USUAL),
        at(dead_at, HIGH),
    )


def _times(m):
    found = {where: m[f"time {where}"] for where in SIZES if f"time {where}" in m}
    if len(found) < len(SIZES):
        return Table((), ())
    each = lambda r, name: f"{1e9 * median(r['seconds'][name]) / r['n']:.3f}"
    rows = [(name, *(each(r, name) for r in found.values())) for name in FUNCTIONS]
    head = ("function", *(f"nanoseconds per number {where}" for where in SIZES))
    return Table(head, rows, narrow=True)
