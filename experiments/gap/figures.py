"""Figures: class activation maps on large canvases, overfitting by head, hits by canvas."""

from statistics import fmean

import numpy as np

from experiments.framework.palette import COLOURS
from experiments.framework.plots import dots
from experiments.gap.measure import LARGE


def canvases(axes, m) -> str | None:
    """Digits on large canvases, with the map in red, its maximum and the digit's box."""
    from matplotlib.patches import Rectangle

    if "gap" not in m:
        return None
    examples = m["gap"]["examples"]
    for i, each in enumerate(examples):
        canvas, heat = np.array(each["canvas"]), np.maximum(np.array(each["map"]), 0)
        left, top, pixel = i % 3 * 1.08, i // 3 * 1.25, 1 / len(canvas)
        extent = (left, left + 1, top + 1, top)
        heat = heat / (heat.max() or 1)
        axes.imshow(canvas, extent=extent, cmap="gray_r", vmin=0, vmax=1)
        axes.imshow(heat, extent=extent, cmap="Oranges", alpha=0.65 * heat, vmin=0, vmax=1)
        row, column = each["corner"]
        place, side = (left + column * pixel, top + row * pixel), each["side"] * pixel
        axes.add_patch(Rectangle(place, side, side, fill=False, ec=COLOURS["blue"], lw=2))
        axes.add_patch(Rectangle((left, top), 1, 1, fill=False, ec=COLOURS["soft"], lw=1))
        text = f"{each['label']} → {each['predicted']}, {'hit' if each['hit'] else 'missed'}"
        axes.text(left + 0.5, top - 0.03, text, ha="center", va="bottom")
    axes.set_xlim(-0.02, 3.2)
    axes.set_ylim(2.3, -0.2)
    axes.set_aspect("equal")
    axes.axis("off")
    rate, cover = fmean(m["gap"]["hits"][LARGE]), m["gap"]["cover"][LARGE]
    return (
        f"The first {len(examples)} test digits on a canvas 4 digits wide, with their boxes in "
        "blue and the positive class activation map of the predicted class in orange, for seed 0; "
        f"above each, label → prediction. Over all seeds {rate:.1%} of the maxima are in the box, "
        f"which covers {cover:.1%} of the canvas."
    )


def by_gap(axes, m) -> str | None:
    found = {
        name: [100 * (a - b) for a, b in zip(each["train"], each["test"], strict=True)]
        for name, each in m.items()
    }
    if not found:
        return None
    dots(axes, found, "training − test accuracy, points")
    means = ", ".join(f"{name} {fmean(values):.1f}" for name, values in found.items())
    return (
        "Training minus test accuracy in percentage points by head, one dot per seed, with the "
        f"mean as a bar: {means}. 0 is no overfitting."
    )


def by_canvas(axes, m) -> str | None:
    if "gap" not in m:
        return None
    gap = m["gap"]
    sizes = [gap["sizes"][width] for width in gap["sizes"]]
    hits = {gap["sizes"][w]: [100 * h for h in gap["hits"][w]] for w in gap["sizes"]}
    for size, each in hits.items():
        axes.plot([size] * len(each), each, "o", color=COLOURS["vermillion"], alpha=0.6, ms=6)
    means = [fmean(each) for each in hits.values()]
    cover = [100 * gap["cover"][width] for width in gap["sizes"]]
    axes.plot(sizes, means, color=COLOURS["vermillion"], lw=2.5)
    axes.plot(sizes, cover, "o-", color=COLOURS["soft"], lw=2.5)
    for values, text, colour in (
        (means, "hits", COLOURS["vermillion"]),
        (cover, "by chance", COLOURS["soft"]),
    ):
        axes.text(1.03 * sizes[-1], values[-1], text, color=colour, va="center")
    axes.set_ylim(0, 108)
    axes.set_xticks(sizes)
    axes.set_xlim(right=1.35 * sizes[-1])
    axes.set_xlabel("width of the canvas, pixels")
    axes.set_ylabel("test digits, percent")
    ends = f"{means[0]:.1f} % at {sizes[0]} pixels to {means[-1]:.1f} % at {sizes[-1]}"
    return (
        "Test digits whose box has the maximum of the class activation map, one dot per seed, "
        f"against the width of the canvas: from {ends}. By chance: the box's share of the canvas, "
        f"{cover[0]:.1f} % to {cover[-1]:.1f} %."
    )
