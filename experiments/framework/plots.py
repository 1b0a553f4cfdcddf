"""Plots that experiments share: dots by seed, labelled lines, and rows of images."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from experiments.framework.figures import label_lines
from experiments.framework.palette import COLOURS, LINES


def dots(axes, values: Mapping[str, Sequence[float]], label: str) -> None:
    """One row per name, with a dot per seed and a bar at the mean. Dots never coincide."""
    for row, (name, each) in enumerate(values.items()):
        colour = _colour(row)
        middle = (len(each) - 1) / 2
        places = [row + 0.5 * (seed - middle) / len(each) for seed in range(len(each))]
        axes.plot(each, places, "o", color=colour, ms=5, alpha=0.75)
        axes.plot([fmean(each)] * 2, [row - 0.35, row + 0.35], color=colour, lw=2, label=name)
    axes.set_yticks(range(len(values)), list(values))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.set_xlabel(label)


def lines(
    axes, curves: Mapping[str, Mapping[float, Sequence[float]]], across: str, up: str
) -> None:
    """One line per name through the means over seeds, with its name at the right end."""
    for i, (name, curve) in enumerate(curves.items()):
        at = sorted(curve)
        axes.plot(at, [fmean(curve[x]) for x in at], "o-", color=_colour(i), label=name)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    label_lines(axes)


def _colour(i: int) -> str:
    return COLOURS[[*LINES][i % len(LINES)]]


def images(axes, rows: Sequence[Sequence[tuple[str, Any]]], **options: Any) -> None:
    """Rows of images, each with its title above. `options` are those of `imshow`.

    Image c of row r covers c to c + 1 across; its top is at -1.3 r.
    """
    for r, row in enumerate(rows):
        for c, (title, image) in enumerate(row):
            extent = (c + 0.04, c + 0.96, -1.3 * r - 0.92, -1.3 * r)
            axes.imshow(np.asarray(image), extent=extent, **{"cmap": "gray_r", **options})
            axes.text(c + 0.5, -1.3 * r + 0.04, title, ha="center", va="bottom")
    axes.set_xlim(0, max(map(len, rows)))
    axes.set_ylim(-1.3 * (len(rows) - 1) - 0.95, 0.3)
    axes.set_aspect("equal")
    axes.axis("off")
