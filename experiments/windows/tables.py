"""Tables: formulas for the output size, the 4×4 example, and networks by padding and window."""

from statistics import fmean

from experiments.framework.statistics import percent, with_spread
from experiments.framework.table import Best, Table
from experiments.windows.measure import BORDERS, EXAMPLE, SIZES, WINDOWS

FORMULAS = {
    "formula": "floor((H + 2P − D(K − 1) − 1) / S) + 1",
    "loops": "count of window positions by a loop",
    "height from W": "height from W, as some books print",
    "without floor": "without floor",
    "without dilation": "floor((H + 2P − K) / S) + 1, for any D",
}


def tables(m) -> list[Table]:
    found = []
    if SIZES in m:
        counts = [m[SIZES][key] for key in FORMULAS]
        rows = [
            (text, f"{right:,}", f"{m[SIZES]['cases'] - right:,}")
            for text, right in zip(FORMULAS.values(), counts, strict=True)
        ]
        found.append(Table(("output size", "correct cases", "wrong cases"), rows))
    if EXAMPLE in m:
        rows = [(name, *map(_matrix, found)) for name, found in m[EXAMPLE]["outputs"].items()]
        found.append(Table(("4×4 example", "no padding", "padding 1"), rows))
    rows = [
        (
            name,
            f"{m[name]['parameters']:,}",
            f"{m[name]['multiply_adds']:,}",
            f"{m[name]['rate']:g}",
            with_spread(percent(m[name]["train"])),
            with_spread(percent(m[name]["test"])),
            ratio(m[name]),
        )
        for name in (*BORDERS, *WINDOWS)
        if name in m
    ]
    head = ("network", "parameters", "multiply-adds", "learning rate")
    measured = ("training accuracy, %", "test accuracy, %", "border / centre")
    best: dict[str, Best] = {"test accuracy, %": "highest"}
    return [*found, Table((*head, *measured), rows, narrow=True, best=best)]


def ratio(network) -> str:
    """Activations at the border, relative to the centre, or a dash."""
    return f"{fmean(network['border']):.2f}" if "border" in network else "–"


def _matrix(rows) -> str:
    return "; ".join(" ".join(f"{v:g}" for v in row) for row in rows)
