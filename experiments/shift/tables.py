"""Tables: cases with error 0 by implementation, and networks under shifts."""

from experiments.framework.statistics import percent, with_spread
from experiments.framework.table import Best, Table
from experiments.shift.measure import NETWORKS

UNCHANGED, DISTANCE = "unchanged predictions, %", "cosine distance of features"
SHIFTS = ("no shift", "shift of 1 pixel", "shift of 2 pixels")


def tables(m) -> list[Table]:
    names = [name for name in NETWORKS if name in m]
    return [exact(m), features(m, names), accuracies(m, names)]


def exact(m) -> Table:
    dtypes = [name for name in m if name not in NETWORKS]
    by_impl: dict[str, list] = {}
    for row in (row for dtype in dtypes for row in m[dtype]["rows"]):
        by_impl.setdefault(row["impl"], []).append(row)
    rows = [
        (
            impl,
            f"{rows[0]['cases']}",
            *(f"{r['equal']}" for r in rows),
            f"{max(r['units'] for r in rows):.3g}",
        )
        for impl, rows in by_impl.items()
    ]
    equal = [f"error 0, {dtype}" for dtype in dtypes]
    head = ("implementation", "cases", *equal, "largest error, rounding units")
    return Table(head, rows, narrow=True)


def features(m, names) -> Table:
    """Parameters, and the effect of a shift of 1 pixel."""
    rows = [
        (
            name,
            f"{m[name]['parameters']:,}",
            f"{m[name]['rate']:g}",
            with_spread(percent(m[name]["unchanged"])),
            with_spread(m[name]["change"], 3),
        )
        for name in names
    ]
    head = ("network, shift of 1 pixel", "parameters", "learning rate", UNCHANGED, DISTANCE)
    return Table(head, rows, narrow=True, best={UNCHANGED: "highest", DISTANCE: "lowest"})


def accuracies(m, names) -> Table:
    by_shift = lambda name: map(percent, m[name]["accuracy"].values())
    rows = [(name, *map(with_spread, by_shift(name))) for name in names]
    columns = [f"test accuracy, {shift}, %" for shift in SHIFTS]
    best: dict[str, Best] = dict.fromkeys(columns, "highest")
    return Table(("network", *columns), rows, narrow=True, best=best)
