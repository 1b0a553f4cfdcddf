"""Tables: cases with error 0 by implementation, and networks under shifts."""

from statistics import fmean

from experiments.framework.statistics import percent, with_spread
from experiments.framework.table import Best, Table
from experiments.shift.measure import NETWORKS

UNCHANGED = "unchanged predictions, shift of 1 pixel, %"
DISTANCE = "cosine distance of features"
SHIFTS = ("no shift", "shift of 1 pixel", "shift of 2 pixels")


def tables(m) -> list[Table]:
    dtypes = [name for name in m if name not in NETWORKS]
    by_impl: dict[str, list] = {}
    for row in (row for dtype in dtypes for row in m[dtype]["rows"]):
        by_impl.setdefault(row["impl"], []).append(row)
    exact = [
        (
            impl,
            f"{rows[0]['cases']}",
            *(f"{r['equal']}" for r in rows),
            f"{max(r['units'] for r in rows):.3g}",
        )
        for impl, rows in by_impl.items()
    ]
    equal = [f"cases with error 0, {dtype}" for dtype in dtypes]
    networks = [
        (
            name,
            f"{m[name]['parameters']:,}",
            f"{m[name]['rate']:g}",
            *(with_spread(percent(m[name]["accuracy"][shift])) for shift in ("0", "1", "2")),
            with_spread(percent(m[name]["unchanged"])),
            f"{fmean(m[name]['change']):.3f}",
        )
        for name in NETWORKS
        if name in m
    ]
    shifts = [f"test accuracy, {shift}, %" for shift in SHIFTS]
    head = ("network", "parameters", "learning rate", *shifts, UNCHANGED, DISTANCE)
    best: dict[str, Best] = {
        **dict.fromkeys((*shifts, UNCHANGED), "highest"),
        DISTANCE: "lowest",
    }
    return [
        Table(
            ("implementation", "cases", *equal, "largest error, rounding units"), exact, narrow=True
        ),
        Table(head, networks, narrow=True, best=best),
    ]
