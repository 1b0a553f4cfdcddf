"""Figures: class activation maps on large canvases, overfitting by head, hits by canvas."""

from statistics import fmean

import numpy as np

from experiments.framework.palette import COLOURS
from experiments.framework.plots import dots, drawing, lines
from experiments.framework.statistics import percent, points
from experiments.gap.measure import LARGE


def canvases(axes, m) -> str | None:
    """Digits on large canvases, with the map in orange, its maximum and the digit's box."""
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
    drawing(axes, 3.2, 2.3, above=0.2)
    axes.set_title("Class activation maps on large canvases")
    rate, cover = fmean(m["gap"]["hits"][LARGE]), m["gap"]["cover"][LARGE]
    return (
        f"The first {len(examples)} test digits on a canvas 4 digits wide, with their boxes in "
        "blue and the class activation map of the predicted class in orange; above each, label → "
        f"prediction. Over all seeds {100 * rate:.1f} % of the maxima are in the box, which covers "
        f"{100 * cover:.3g} % of the canvas."
    )


def by_gap(axes, m) -> str | None:
    found = {name: points(each["train"], each["test"]) for name, each in m.items()}
    if not found:
        return None
    dots(axes, found, "training − test accuracy, percentage points")
    axes.set_title("Overfitting by head")
    means = ", ".join(f"{name} {fmean(values):.1f}" for name, values in found.items())
    return (
        "Training minus test accuracy by head, one dot per seed, with the mean: "
        f"{means} percentage points."
    )


def by_canvas(axes, m) -> str | None:
    if "gap" not in m:
        return None
    gap = m["gap"]
    hits = {size: percent(gap["hits"][w]) for w, size in gap["sizes"].items()}
    cover = {size: percent([gap["cover"][w]]) for w, size in gap["sizes"].items()}
    sizes = sorted(hits)
    axes.set_ylim(0, 105)
    axes.set_xticks(sizes)
    axes.set_title("Maxima of the map in the digit's box")
    lines(axes, {"gap": hits, "chance": cover}, "width of the canvas, pixels", "test digits, %")
    ends = lambda by: " to ".join(f"{fmean(by[size]):.1f} %" for size in (sizes[0], sizes[-1]))
    return (
        "Test digits whose box has the maximum of the class activation map, against the width of "
        f"the canvas: {ends(hits)}. By chance, the box's share of the canvas: {ends(cover)}. "
        "Bands: one standard deviation over seeds."
    )
