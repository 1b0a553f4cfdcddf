"""Figures: pooling of a 4×4 image, Lp norms by p, and accuracy lost under a shift."""

from statistics import fmean

import numpy as np

from experiments.framework.palette import COLOURS
from experiments.framework.plots import dots
from experiments.pooling.measure import NETWORKS, NORMS
from experiments.pooling.norms import EXAMPLE, P

SHADES = ("#9ecae1", "#fdd0a2", "#c7e9c0", "#dadaeb")  # of the four windows


def example(axes, m) -> str | None:
    """The textbook's picture: four windows of an image, and one number of each."""
    if NORMS not in m:
        return None
    _grid(axes, EXAMPLE, 0, 0.6, lambda row, column: 2 * (row // 2) + column // 2)
    for i, (name, values) in enumerate(m[NORMS]["example"].items()):
        left = 5 + 2.6 * i
        _grid(axes, values, left, 1.6, lambda row, column: 2 * row + column)
        axes.text(left + 1, 1.45, name, ha="center")
    axes.text(2, 0.45, "image", ha="center")
    axes.set_xlim(-0.1, 12.3)
    axes.set_ylim(4.8, -0.4)
    axes.set_aspect("equal")
    axes.axis("off")
    first = ", ".join(f"{name} {v[0][0]:.2g}" for name, v in m[NORMS]["example"].items())
    return (
        "A 4×4 image, its four windows of 2×2 shaded, and one number of each window by max "
        f"pooling, mean pooling and the mean form of L2 pooling. First window: {first}."
    )


def _grid(axes, values, left, top, window):
    from matplotlib.patches import Rectangle

    for (row, column), value in np.ndenumerate(np.array(values)):
        place = (left + column + 0.04, top + row + 0.04)
        axes.add_patch(Rectangle(place, 0.92, 0.92, color=SHADES[window(row, column)], lw=0))
        middle = (left + column + 0.5, top + row + 0.5)
        axes.text(*middle, f"{value:.2g}", ha="center", va="center")


def by_p(axes, m) -> str | None:
    if NORMS not in m:
        return None
    p, curve = P[:-1], m[NORMS]["curve"]
    window = [abs(v) for row in EXAMPLE[:2] for v in row[:2]]
    levels = {"sum": sum(window), "maximum": max(window), "mean": fmean(window)}
    for name, level in levels.items():
        axes.plot([1, 115], [level] * 2, color=COLOURS["soft"], lw=1, ls="--")
        axes.text(130, level, name, va="center")
    for (name, values), colour, up in zip(
        curve.items(), (COLOURS["blue"], COLOURS["vermillion"]), (-0.25, 0.25), strict=True
    ):
        axes.plot(p, values, "o-", color=colour, lw=2.5)
        axes.text(3.3, values[3] + up, name, color=colour, va="center")
    axes.set_xscale("log")
    axes.set_xticks([1, 10, 100], ["1", "10", "100"])
    axes.set_xlim(0.9, 800)
    axes.set_xlabel("p")
    axes.set_ylabel("Lp pooling")
    mean, total = curve.values()
    return (
        f"Lp pooling of the window {', '.join(map(str, window))} by p, from 1 to 100. The mean "
        f"form rises from the mean, {mean[0]:.2g}, to {mean[-1]:.3g}; the sum form falls from the "
        f"sum, {total[0]:.2g}, to {total[-1]:.3g}. Both approach the maximum, {max(window)}."
    )


def by_shift(axes, m) -> str | None:
    pairs = {k: zip(m[k]["test"], m[k]["shifted"], strict=True) for k in NETWORKS if k in m}
    if not pairs:
        return None
    found = {name: [100 * (a - b) for a, b in each] for name, each in pairs.items()}
    dots(axes, found, "accuracy lost at 1 pixel, points")
    means = ", ".join(f"{name} {fmean(values):.1f}" for name, values in found.items())
    return (
        "Percentage points of test accuracy lost when test images are shifted by 1 pixel, one dot "
        f"per seed, with the mean as a bar: {means}."
    )
