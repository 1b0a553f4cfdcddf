"""Tables: cases with error 0 by implementation, and networks under shifts."""

from statistics import fmean

from experiments.framework.table import Best, Table
from experiments.shift.measure import NETWORKS

STAY_PERCENT = "predictions that stay, %"


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
    equal = [f"error 0, {dtype}" for dtype in dtypes]
    percent = lambda values: f"{100 * fmean(values):.1f}"
    networks = [
        (
            name,
            f"{m[name]['parameters']:,}",
            *(percent(m[name]["accuracy"][shift]) for shift in ("0", "1", "2")),
            percent(m[name]["stay"]),
            f"{fmean(m[name]['change']):.3f}",
        )
        for name in NETWORKS
        if name in m
    ]
    shifts = [f"test accuracy, shift {n}, %" for n in range(3)]
    head = ("network", "parameters", *shifts, STAY_PERCENT, "cosine distance of features")
    best: dict[str, Best] = {
        **dict.fromkeys((*shifts, STAY_PERCENT), "highest"),
        "cosine distance of features": "lowest",
    }
    found = [
        Table(("implementation", "cases", *equal, "largest error, eps"), exact, narrow=True),
        Table(head, networks, narrow=True, best=best),
    ]
    return [table for table in found if table.rows]
