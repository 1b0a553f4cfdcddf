"""Figures: the flipped kernel, the routing of max pooling, errors by operator, and cost."""

from statistics import median
from typing import Any

from experiments.framework.palette import COLOURS
from experiments.framework.plots import cells, colour_of, dots, drawing
from experiments.gradients.operators import DTYPES

LEAST = 1e-18  # drawn for an error of 0
ABOVE = {"xytext": (0, 7), "textcoords": "offset points", "ha": "center"}


def flipped(axes, m: dict[str, Any]) -> str | None:
    if "pictures" not in m:
        return None
    found = m["pictures"]
    marked = lambda n: lambda row, column: "blue" if row == column == n else None
    cells(axes, found["kernel"], 0, 0, marked(0))
    cells(axes, found["into outputs"], 4, 0, marked(2))
    for middle, title in ((1.5, "kernel"), (5.5, "weight in each output")):
        axes.text(middle, -0.1, title, ha="center", va="bottom")
    drawing(axes, 7.4, 3, above=0.5)
    axes.set_title("The kernel is flipped in the backward pass")
    first, last = found["kernel"][0][0], found["into outputs"][2][2]
    return (
        "The central cell of a 5×5 image enters each of the 3×3 outputs of a convolution with the "
        "weight on the right: the kernel, flipped along both axes. The kernel's first weight, "
        f"{first:g}, is the last one on the right, {last:g}. The gradient of the cell is the sum "
        "of dy times these weights."
    )


def routed(axes, m: dict[str, Any]) -> str | None:
    if "pictures" not in m:
        return None
    found = m["pictures"]
    dx = found["dx"]
    chosen = lambda row, column: "vermillion" if dx[row][column] else None
    cells(axes, found["piece"], 0, 0, chosen)
    cells(axes, found["dy"], 5, 1, lambda row, column: "vermillion")
    cells(axes, dx, 8, 0, chosen)
    for middle, top, title in ((2, 0, "pixels"), (6, 1, "dy"), (10, 0, "dx")):
        axes.text(middle, top - 0.15, title, ha="center", va="bottom")
    drawing(axes, 12, 4, above=0.8)
    axes.set_title("Max pooling passes a gradient to one cell")
    marked = sum(value != 0 for row in dx for value in row)
    return (
        "Max pooling of 2×2 windows passes each gradient dy to one cell of its window, a largest "
        f"one, and 0 to the others: {marked} of 16 cells get a gradient (coloured)."
    )


def by_error(axes, m: dict[str, Any]) -> str | None:
    found = [r["errors"] for r in m.values() if "errors" in r]
    if not found:
        return None
    for kind, shift in (("autodiff", -0.2), ("hand", 0.2)):
        for i, dtype in enumerate(DTYPES):
            errors = sorted(max(e[dtype][kind], LEAST) for e in found)
            places = [i + shift + 0.3 * ((j + 0.5) / len(errors) - 0.5) for j in range(len(errors))]
            axes.plot(places, errors, ".", color=colour_of(kind), ms=5, label=kind)
            if i == 0:
                axes.annotate(kind, (shift, errors[-1]), **ABOVE)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:.0e}")
    axes.set_xticks(range(len(DTYPES)), DTYPES)
    axes.set_ylabel("error / largest entry")
    axes.set_title("Errors of the gradients of all operators")
    worst = lambda dtype, kind: max(e[dtype][kind] for e in found)
    each = (
        f"{dtype} {worst(dtype, 'hand'):.1e} by hand and {worst(dtype, 'autodiff'):.1e} by autodiff"
        for dtype in DTYPES[1:]
    )
    return (
        "Error of the gradient of each operator, in order, against autodiff in float64, whose own "
        f"error of 0 is drawn at {LEAST:g}. Largest errors: {DTYPES[0]} "
        f"{worst(DTYPES[0], 'hand'):.1e} by hand, {', '.join(each)}."
    )


def by_cost(axes, m: dict[str, Any]) -> str | None:
    found: dict[str, list[float]] = {}
    for r in m.values():
        if "cost" in r:
            seconds = [r["cost"][kind]["seconds"] for kind in ("autodiff", "hand")]
            found.setdefault(r["problem"].replace("_", " "), []).append(seconds[0] / seconds[1])
    if not found:
        return None
    axes.set_xscale("log", base=2)
    dots(axes, found, "seconds, autodiff / hand", ".2f", median, "blue")
    axes.axvline(1, color=COLOURS["soft"], lw=1, ls="--", zorder=0)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_title("Time of the backward pass")
    ratios = [ratio for each in found.values() for ratio in each]
    return (
        "Time of the backward pass by autodiff, relative to the hand-derived one, one dot per size "
        "and dtype, with the median. The hand-derived pass is faster right of the line: in "
        f"{sum(ratio > 1 for ratio in ratios)} of {len(ratios)} cases."
    )
