"""Tables: both heads, and global average pooling on canvases of other sizes."""

from experiments.framework.statistics import percent, points, with_spread
from experiments.framework.table import Best, Table
from experiments.gap.measure import LARGE, TRAINED
from experiments.gap.networks import HEADS


def tables(m) -> list[Table]:
    mean = lambda shares: with_spread(percent(shares))
    heads = [
        (
            name,
            f"{m[name]['parameters'][TRAINED]:,}",
            f"{m[name]['parameters'][LARGE]:,}",
            f"{m[name]['rate']:g}",
            mean(m[name]["train"]),
            mean(m[name]["test"]),
            with_spread(overfit(m[name])),
        )
        for name in HEADS
        if name in m
    ]
    parameters = ("parameters", f"parameters, canvas {LARGE} digits wide")
    accuracy = ("training accuracy, %", "test accuracy, %")
    gap = "training − test accuracy, percentage points"
    head = ("head", *parameters, "learning rate", *accuracy, gap)
    best: dict[str, Best] = {"test accuracy, %": "highest", gap: "lowest"}
    best |= dict.fromkeys(parameters, "lowest")
    found = [Table(head, heads, narrow=True, best=best)]
    if "gap" in m:
        r = m["gap"]
        columns = lambda s: map(mean, (r["accuracy"][s], r["hits"][s], [r["cover"][s]]))
        rows = [(f"{size}", *columns(s)) for s, size in r["sizes"].items()]
        head = ("width of the canvas, pixels", "test accuracy, %", "hits, %")
        found.append(Table((*head, "digit's share of the canvas, %"), rows, narrow=True))
    return found


def overfit(found) -> list[float]:
    """Training − test accuracy, in percentage points, by seed."""
    return points(found["train"], found["test"])
