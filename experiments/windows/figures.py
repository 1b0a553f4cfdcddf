"""Figures: the 4×4 example, activations by padding, and accuracy by window."""

from statistics import fmean

import numpy as np

from experiments.framework.palette import COLOURS
from experiments.framework.plots import dots, images
from experiments.windows.measure import BORDERS, EXAMPLE, WINDOWS
from experiments.windows.sizes import FILTER, IMAGE


def example(axes, m) -> str | None:
    """The textbook's picture: image ∗ filter = output, with the first window marked."""
    if EXAMPLE not in m:
        return None
    by_hand, _ = m[EXAMPLE]["outputs"]["hand"]
    _grid(axes, IMAGE, 0, 0, marked=3)
    _grid(axes, FILTER, 5, 0.5, marked=3)
    _grid(axes, by_hand, 9, 1, marked=1)
    for x, text in ((4.5, "∗"), (8.5, "=")):
        axes.text(x, 2, text, ha="center", va="center")
    axes.set_xlim(-0.1, 11.1)
    axes.set_ylim(4.2, -0.2)
    axes.set_aspect("equal")
    axes.axis("off")
    equal = f"{m[EXAMPLE]['equal']} of {m[EXAMPLE]['cells']}"
    return (
        "The 4×4 image, the 3×3 filter and the 2×2 output; the first window and its output, "
        f"{by_hand[0][0]}, are filled. {equal} cells by loops, by im2col and by fcnn.conv are "
        "exactly equal to those by hand, without and with padding 1."
    )


def _grid(axes, values, left, top, marked):
    from matplotlib.patches import Rectangle

    for (row, column), value in np.ndenumerate(np.array(values)):
        inside = row < marked and column < marked
        place = (left + column + 0.04, top + row + 0.04)
        axes.add_patch(
            Rectangle(place, 0.92, 0.92, color=COLOURS["blue"] if inside else COLOURS["line"], lw=0)
        )
        ink = "white" if inside else COLOURS["ink"]
        middle = (left + column + 0.5, top + row + 0.5)
        axes.text(*middle, f"{value:g}", ha="center", va="center", color=ink)


def maps(axes, m) -> str | None:
    found = {name: np.array(m[name]["map"]) for name in BORDERS if name in m}
    if not found:
        return None
    images(axes, [[(name, each / each.max()) for name, each in found.items()]], vmin=0)
    ratios = ", ".join(f"{name} {fmean(m[name]['border']):.2f}" for name in found)
    return (
        "Root mean square of the last convolution's output by position, over test images, seeds "
        "and channels, relative to its largest; darker is larger. Ratio of the outermost cells "
        f"to the others: {ratios}."
    )


def by_window(axes, m) -> str | None:
    found = {k: [100 * v for v in m[k]["test"]] for k in (*WINDOWS, *BORDERS) if k in m}
    if not found:
        return None
    dots(axes, found, "test accuracy, percent")
    means = ", ".join(f"{name} {fmean(values):.1f}" for name, values in found.items())
    return (
        "Test accuracy in percent by window, at about equal numbers of parameters, and by padding "
        f"of three 3×3 convolutions; one dot per seed, with the mean as a bar: {means}."
    )
