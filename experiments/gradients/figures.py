"""Figures: the flipped kernel, the routing of max pooling, errors by operator, and cost."""

from typing import Any

from experiments.gradients.operators import DTYPES

BLUE, ORANGE, GREY, PALE = "#17508f", "#d1741d", "#8a929c", "#eef1f4"


def flipped(axes, m: dict[str, Any]) -> str | None:
    if "pictures" not in m:
        return None
    found = m["pictures"]
    corner = lambda row, column: BLUE if (row, column) == (0, 0) else PALE
    mark = lambda row, column: BLUE if (row, column) == (2, 2) else PALE
    _grid(axes, 0, "kernel", found["kernel"], corner)
    _grid(axes, 4, "the cell's weight\nin each output", found["into outputs"], mark)
    _frame(axes, 7)
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
    chosen = lambda row, column: ORANGE if dx[row][column] else PALE
    _grid(axes, 0, "pixels of a digit", found["piece"], chosen)
    _grid(axes, 5, "dy", found["dy"], lambda row, column: ORANGE, top=1)
    _grid(axes, 8, "dx", dx, chosen)
    _frame(axes, 12)
    cells = sum(value != 0 for row in dx for value in row)
    return (
        "Max pooling of 2×2 windows passes each gradient dy to one cell of its window, a largest "
        f"one, and 0 to the others: {cells} of 16 cells get a gradient (orange)."
    )


def _grid(axes, left, title, values, colour, top=0):
    from matplotlib.patches import Rectangle

    for row, line in enumerate(values):
        for column, value in enumerate(line):
            x, y, face = left + column, top + row, colour(row, column)
            axes.add_patch(Rectangle((x + 0.04, y + 0.04), 0.92, 0.92, color=face, lw=0))
            ink = "#1b1f24" if face == PALE else "white"
            axes.text(x + 0.5, y + 0.5, f"{value:g}", ha="center", va="center", color=ink)
    axes.text(left + len(values[0]) / 2, top - 0.2, title, ha="center", va="bottom")


def _frame(axes, right):
    axes.set_xlim(-0.2, right + 0.2)
    axes.set_ylim(4.2, -1.2)
    axes.set_aspect("equal")
    axes.axis("off")


def by_error(axes, m: dict[str, Any]) -> str | None:
    found = [r["errors"] for r in m.values() if "errors" in r]
    if not found:
        return None
    least = 1e-18  # drawn for an error of 0
    kinds = (("autodiff", GREY, -0.17, "right"), ("hand", BLUE, 0.17, "left"))
    for i, dtype in enumerate(DTYPES):
        for kind, colour, shift, side in kinds:
            errors = sorted(max(e[dtype][kind], least) for e in found)
            places = [
                i + shift + 0.24 * (j / max(1, len(errors) - 1) - 0.5) for j in range(len(errors))
            ]
            axes.plot(places, errors, ".", color=colour, ms=5)
            if i == 0:
                place = {"textcoords": "offset points", "xytext": (0, 8), "ha": side}
                axes.annotate(kind, (i + shift, errors[-1]), color=colour, **place)
    axes.set_yscale("log")
    axes.set_xticks(range(len(DTYPES)), DTYPES)
    axes.set_ylabel("error / largest entry")
    worst = lambda dtype, kind: max(e[dtype][kind] for e in found)
    each = (
        f"{d}: {worst(d, 'hand'):.1e} by hand, {worst(d, 'autodiff'):.1e} by autodiff"
        for d in DTYPES[1:]
    )
    return (
        "Error of the gradient of each operator, in order, against autodiff in float64, whose own "
        f"error is 0 here and is drawn at {least:g}. Largest errors: {DTYPES[0]}: "
        f"{worst(DTYPES[0], 'hand'):.1e} by hand; {'; '.join(each)}."
    )


def by_cost(axes, m: dict[str, Any]) -> str | None:
    found = [r for r in m.values() if "cost" in r]
    if not found:
        return None
    names = list(dict.fromkeys(r["problem"] for r in found))
    ratio = lambda r: r["cost"]["autodiff"]["seconds"] / r["cost"]["hand"]["seconds"]
    for i, name in enumerate(names):
        ratios = [ratio(r) for r in found if r["problem"] == name]
        places = [i + 0.14 * (j - (len(ratios) - 1) / 2) for j in range(len(ratios))]
        axes.plot(ratios, places, "o", color=BLUE, ms=6)
    axes.axvline(1, color=GREY, lw=1, zorder=0)
    axes.set_xscale("log", base=2)
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.invert_yaxis()
    axes.set_xlabel("seconds by autodiff / seconds by hand")
    faster = sum(ratio(r) > 1 for r in found)
    return (
        "Time of the backward pass by autodiff, relative to the hand-derived one, one dot per size "
        f"and dtype; right of the line the hand-derived pass is faster: {faster} of {len(found)}."
    )
