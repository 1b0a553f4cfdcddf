"""Tables: statements on Lp pooling, and networks with each kind of pooling."""

from statistics import fmean, median

from experiments.framework.table import Best, Table
from experiments.pooling.measure import NETWORKS, NORMS, TIMES
from experiments.pooling.norms import STATEMENTS


def tables(m) -> list[Table]:
    found = []
    if NORMS in m:
        count = lambda key: f"{m[NORMS][key][0]:,} of {m[NORMS][key][1]:,}"
        rows = [(text, count(key)) for key, text in STATEMENTS.items()]
        found.append(Table(("statement", "true, windows"), rows))
    mean = lambda values: f"{fmean(values):.1f}"
    rows = [
        (
            name,
            f"{m[name]['parameters']:,}",
            f"{m[name]['multiply_adds']:,}",
            f"{1e3 * median(m[TIMES][name]):.2f}" if TIMES in m else "",
            f"{100 * fmean(m[name]['test']):.1f}",
            mean(lost(m, name)),
            mean(gap(m, name)),
        )
        for name in NETWORKS
        if name in m
    ]
    head = ("network", "parameters", "multiply-adds", "step, milliseconds")
    accuracy = ("test accuracy, %", "lost at 1 pixel, percentage points")
    gaps = "training − test accuracy, percentage points"
    best: dict[str, Best] = {accuracy[0]: "highest"}
    best |= dict.fromkeys((head[3], accuracy[1], gaps), "lowest")
    networks = Table((*head, *accuracy, gaps), rows, narrow=True, best=best)
    return [*found, networks] if rows else found


def lost(m, name) -> list[float]:
    """Accuracy lost by a shift of 1 pixel, in percentage points, by seed."""
    return [100 * (a - b) for a, b in zip(m[name]["test"], m[name]["shifted"], strict=True)]


def gap(m, name) -> list[float]:
    """Training − test accuracy, in percentage points, by seed."""
    return [100 * (a - b) for a, b in zip(m[name]["train"], m[name]["test"], strict=True)]
