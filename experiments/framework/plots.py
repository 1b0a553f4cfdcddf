"""Plots that experiments share: dots by seed, lines with labels at their ends, and rows of images.

Text has 16 points: 11 pixels on a page where a figure is 358 pixels wide. The colours differ for
colour-blind readers (Okabe & Ito 2008).
"""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

TEXT = 16
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072b2", "#d55e00", "#009e73", "#a0528a", "#5b6470"
COLOURS = (ORANGE, BLUE, GREEN, PURPLE, GREY)


def dots(axes, values: Mapping[str, Sequence[float]], label: str) -> None:
    """One row per name, with a dot per seed and a bar at the mean. Dots never coincide."""
    for row, (name, each) in enumerate(values.items()):
        colour = COLOURS[row % len(COLOURS)]
        middle = (len(each) - 1) / 2
        places = [row + 0.5 * (seed - middle) / len(each) for seed in range(len(each))]
        axes.plot(each, places, "o", color=colour, ms=7, alpha=0.75)
        axes.plot([fmean(each)] * 2, [row - 0.35, row + 0.35], color=colour, lw=2.5, label=name)
    axes.set_yticks(range(len(values)), list(values))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.set_xlabel(label, fontsize=TEXT)
    axes.tick_params(labelsize=TEXT)


def lines(
    axes, curves: Mapping[str, Mapping[float, Sequence[float]]], across: str, up: str
) -> None:
    """One line per name through the means over seeds, with its name at the right end."""
    ends = {}
    for (name, curve), colour in zip(curves.items(), COLOURS, strict=False):
        at = sorted(curve)
        means = [fmean(curve[x]) for x in at]
        axes.plot(at, means, "o-", color=colour, lw=2.5, ms=6)
        ends[name] = at[-1], means[-1], colour
    low, high = axes.get_ylim()
    gap, last = (high - low) / 12, -np.inf
    for name, (x, y, colour) in sorted(ends.items(), key=lambda end: end[1][1]):
        last = max(y, last + gap)
        where = {"xytext": (x, last), "textcoords": "data", "va": "center"}
        axes.annotate(f"  {name}", (x, y), color=colour, fontsize=TEXT, **where)
    axes.set_xlabel(across, fontsize=TEXT)
    axes.set_ylabel(up, fontsize=TEXT)
    axes.tick_params(labelsize=TEXT)


def images(axes, rows: Sequence[Sequence[tuple[str, Any]]], **options: Any) -> None:
    """Rows of images, each with its title above. `options` are those of `imshow`.

    Image c of row r covers c to c + 1 across; its top is at -1.3 r.
    """
    for r, row in enumerate(rows):
        for c, (title, image) in enumerate(row):
            extent = (c + 0.04, c + 0.96, -1.3 * r - 0.92, -1.3 * r)
            axes.imshow(np.asarray(image), extent=extent, **{"cmap": "gray_r", **options})
            left, right, low, high = extent
            corners = [left, right, right, left, left], [low, low, high, high, low]
            axes.plot(*corners, color=GREY, lw=1)
            axes.text(c + 0.5, -1.3 * r + 0.04, title, ha="center", va="bottom", fontsize=TEXT)
    axes.set_xlim(0, max(map(len, rows)))
    axes.set_ylim(-1.3 * (len(rows) - 1) - 0.95, 0.3)
    axes.set_aspect("equal")
    axes.axis("off")
