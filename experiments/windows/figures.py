"""Figures: the 4×4 example, activations by padding, and accuracy by window."""

from statistics import fmean

import numpy as np

from experiments.framework.plots import cells, dots, drawing, images
from experiments.framework.statistics import percent
from experiments.windows.measure import BORDERS, EXAMPLE, WINDOWS
from experiments.windows.sizes import FILTER, IMAGE
from experiments.windows.tables import ratio


def example(axes, m) -> str | None:
    """The textbook's picture: image ∗ filter = output, with the first window marked."""
    if EXAMPLE not in m:
        return None
    by_hand, _ = m[EXAMPLE]["outputs"]["hand"]
    marked = lambda n: lambda row, column: "blue" if row < n and column < n else None
    cells(axes, IMAGE, 0, 0, marked(3))
    cells(axes, FILTER, 5, 0.5, marked(3))
    cells(axes, by_hand, 9, 1, marked(1))
    for x, text in ((4.5, "∗"), (8.5, "=")):
        axes.text(x, 2, text, ha="center", va="center")
    for x, top, text in ((2, 0, "image"), (6.5, 0.5, "filter"), (10, 1, "output")):
        axes.text(x, top - 0.2, text, ha="center")
    drawing(axes, 11, 4, above=1)
    axes.set_title("Convolution of a 4×4 image with a 3×3 filter")
    equal = f"{m[EXAMPLE]['equal']} of {m[EXAMPLE]['cells']}"
    return (
        "A 4×4 image, a 3×3 filter and the 2×2 output; the first window and its output, "
        f"{by_hand[0][0]}, are blue. {equal} cells by loops, by im2col and by fcnn.conv are "
        "exactly equal to those by hand, without and with padding 1."
    )


def maps(axes, m) -> str | None:
    found = {name: np.array(m[name]["map"]) for name in BORDERS if name in m}
    if not found:
        return None
    each = [(name, a / a.max()) for name, a in found.items()]
    images(axes, [each[:2], each[2:]], vmin=0, vmax=1)
    axes.set_title("Activations by position and padding")
    ratios = ", ".join(f"{name} {ratio(m[name])}" for name in found)
    return (
        "Root mean square of the last convolution's output by position, relative to the largest; "
        f"darker is larger. Ratio of the outermost cells to all others: {ratios}."
    )


def by_window(axes, m) -> str | None:
    found = {k: percent(m[k]["test"]) for k in (*WINDOWS, *BORDERS) if k in m}
    if not found:
        return None
    dots(axes, found, "test accuracy, %")
    axes.set_title("Test accuracy by window and by padding")
    means = ", ".join(f"{name} {fmean(values):.1f}" for name, values in found.items())
    return (
        "Test accuracy by window, at about equal numbers of parameters, and by padding of three "
        f"3×3 convolutions, one dot per seed, with the mean: {means} %."
    )
