"""Cells that are averaged together, in a cube of examples × channels × H×W, after Wu & He 2018.

The corner that is seen first is the first cell: example 0, position 0, channel 0. Channels run back
to the right, examples back to the left, and positions down.
"""

from itertools import product

from experiments.framework.palette import COLOURS
from experiments.framework.plots import colour_of
from experiments.normalization.measure import REGIONS
from experiments.normalization.regions import ONE_POSITION, C, H, N, W

P = H * W  # positions
STEPS = {"n": (-0.8, 0.4), "p": (0.0, -0.8), "c": (0.8, 0.4)}  # to the next cell, on the page
TITLES = {
    "batch norm": "batch norm",
    "layer norm": "layer norm",
    "instance norm": "instance norm",
    "group norm": "group norm",
    ONE_POSITION: "layer norm\nof one position",
}
PLACES = ((3, 0), (10, 0), (17, 0), (6.5, -8.8), (13.5, -8.8))  # of the nearest corner


def cubes(axes, m) -> str | None:
    if REGIONS not in m:
        return None
    for (x, y), (name, title) in zip(PLACES, TITLES.items(), strict=True):
        _cube(axes, x, y, m[REGIONS][name]["first"], colour_of(name.partition(",")[0]))
        axes.text(x + 0.4, y + 3.2, title, ha="center", va="bottom", linespacing=1.1)
    x, y = PLACES[0]
    axes.text(x - 1.8, y - 2.9, "N", ha="center", va="center")
    axes.text(x + 2.2, y - 2.7, "C", ha="center", va="center")
    axes.text(x - 2.7, y - 0.4, "H×W", ha="right", va="center")
    axes.set_xlim(-2, 20.6)
    axes.set_ylim(-12.2, 4.6)
    axes.set_aspect("equal")
    axes.axis("off")
    axes.set_title("Cells that share a mean and a variance")
    counts = ", ".join(
        f"{name} {sum(cell for e in m[REGIONS][name]['first'] for p in e for cell in p)}"
        for name in TITLES
    )
    return (
        f"The input of a normalization as a cube of {N} examples (N), {C} channels (C) and {P} "
        "positions (H×W). Coloured: the cells that change the output cell in the nearest corner, "
        f"by the operator's Jacobian. Coloured cells of {N * P * C}: {counts}."
    )


def _cube(axes, x, y, mask, colour):
    """The three visible sides: the first position, the first channel and the first example."""
    for n, c in product(range(N), range(C)):
        _face(axes, x, y, (n, 0, c), "nc", mask, colour)
    for n, p in product(range(N), range(P)):
        _face(axes, x, y, (n, p, 0), "np", mask, colour)
    for p, c in product(range(P), range(C)):
        _face(axes, x, y, (0, p, c), "pc", mask, colour)


def _face(axes, x, y, cell, sides, mask, colour):
    from matplotlib.patches import Polygon

    n, p, c = cell
    at = [
        start + sum(k * STEPS[axis][i] for k, axis in zip(cell, STEPS, strict=True))
        for i, start in enumerate((x, y))
    ]
    a, b = (STEPS[side] for side in sides)
    corners = [(0, 0), a, (a[0] + b[0], a[1] + b[1]), b]
    face = colour if mask[n][p][c] else COLOURS["line"]
    outline = {"edgecolor": COLOURS["paper"], "lw": 0.8}
    axes.add_patch(Polygon([(at[0] + u, at[1] + v) for u, v in corners], facecolor=face, **outline))
