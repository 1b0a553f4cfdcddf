"""Tables: statements on Lp pooling, and networks with each kind of pooling."""

from statistics import median

from experiments.framework.statistics import percent, points, with_spread
from experiments.framework.table import Best, Table
from experiments.pooling.measure import NETWORKS, NORMS, TIMES
from experiments.pooling.norms import STATEMENTS


def tables(m) -> list[Table]:
    found = []
    if NORMS in m:
        count = lambda key: f"{m[NORMS][key][0]:,} of {m[NORMS][key][1]:,}"
        rows = [(text, count(key)) for key, text in STATEMENTS.items()]
        found.append(Table(("statement", "true cases"), rows))
    names = [name for name in NETWORKS if name in m]
    step = "milliseconds of a training step"
    costs = [
        (
            name,
            f"{m[name]['parameters']:,}",
            f"{m[name]['multiply_adds']:,}",
            f"{1e3 * median(m[TIMES][name]):.2f}" if TIMES in m else "–",
        )
        for name in names
    ]
    found.append(
        Table(("network", "parameters", "multiply-adds", step), costs, best={step: "lowest"})
    )
    rows = [
        (
            name,
            f"{m[name]['rate']:g}",
            *map(with_spread, (percent(m[name]["test"]), lost(m, name), gap(m, name))),
        )
        for name in names
    ]
    accuracy = "test accuracy, %"
    less = "accuracy lost by a shift of 1 pixel, percentage points"
    gaps = "training − test accuracy, percentage points"
    best: dict[str, Best] = {accuracy: "highest", less: "lowest", gaps: "lowest"}
    head = ("network", "learning rate", accuracy, less, gaps)
    return [*found, Table(head, rows, narrow=True, best=best)]


def lost(m, name) -> list[float]:
    """Accuracy lost by a shift of 1 pixel, in percentage points, by seed."""
    return points(m[name]["test"], m[name]["shifted"])


def gap(m, name) -> list[float]:
    """Training − test accuracy, in percentage points, by seed."""
    return points(m[name]["train"], m[name]["test"])
