"""What figures are drawn with: a style, colours, labels of lines, and offsets of equal points.

    axes.plot(sizes, accuracy, "o-", color=COLOURS["blue"], label="conv3")
    label_lines(axes)                                     direct labels, instead of a legend
    axes.plot([i + d for d in spread(values)], values, "o")

A figure is drawn 4.4 inches wide, so that its text can be read on a phone.
"""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from experiments.framework.palette import COLOURS, LINES

SIZE = (4.4, 3.3)  # inches
INK, SOFT, GRID = COLOURS["ink"], COLOURS["soft"], COLOURS["line"]
LINE_HEIGHT = 1.3  # of labels, relative to the size of their text
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "fcnn",
    "font.family": "sans-serif",
    "font.size": 10.5,
    "axes.titlesize": 10.5,
    "axes.labelsize": 10.5,
    "text.color": INK,
    "axes.labelcolor": SOFT,
    "axes.edgecolor": SOFT,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "axes.prop_cycle": f"cycler('color', {[COLOURS[name] for name in LINES]})",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": GRID,
    "axes.axisbelow": True,
    "figure.constrained_layout.use": True,
}


def spread(values: Sequence[float], span: float | None = None, step: float = 0.1) -> list[float]:
    """Offsets along x for points at `values`: 0, or multiples of `step` where points coincide.

    Two points coincide if they are closer than 4 % of `span`, the length of the axis of values.

    >>> spread([1.0, 1.0, 5.0, 1.0])
    [0.0, 0.1, 0.0, -0.1]
    """
    near = 0.04 * (max(values, default=0) - min(values, default=0) if span is None else span)
    places: list[int] = []
    for i, value in enumerate(values):
        crowd = [
            at for at, other in zip(places, values[:i], strict=True) if _near(other, value, near)
        ]
        free = (sign * k for k in range(len(values) + 1) for sign in (1, -1))
        places.append(next(place for place in free if place not in crowd))
    return [place * step for place in places]


def _near(a: float, b: float, distance: float) -> bool:
    return a == b or abs(a - b) < distance


def label_lines(axes: Any) -> None:
    """Write the label of each line to the right of its last point, without overlap.

    Call it after all limits and scales of the axes are set.
    """
    if layout := axes.figure.get_layout_engine():
        layout.execute(axes.figure)
    handles, labels = axes.get_legend_handles_labels()
    lines = [getattr(handle, "lines", (handle,))[0] for handle in handles]  # of error bars
    to_fraction = axes.transData + axes.transAxes.inverted()
    ends = [to_fraction.transform((line.get_xdata()[-1], line.get_ydata()[-1])) for line in lines]
    size = axes.yaxis.label.get_fontsize() * axes.figure.dpi / 72
    order = sorted(range(len(ends)), key=lambda i: ends[i][1])
    places = apart([ends[i][1] for i in order], LINE_HEIGHT * size / axes.bbox.height)
    for i, place in zip(order, places, strict=True):
        (x, y), options = ends[i], {"transform": axes.transAxes, "clip_on": False}
        axes.plot((x, 1.04), (y, place), lw=1, zorder=1, color=lines[i].get_color(), **options)
        axes.text(1.06, place, labels[i], va="center_baseline", **options)


def apart(values: Sequence[float], step: float) -> list[float]:
    """`values`, which ascend, moved as little as groups allow, so that neighbours are `step` apart.

    Groups stay from 0 to 1 if they fit.

    >>> apart([0.2, 0.5, 0.5], 0.25)
    [0.2, 0.45, 0.7]
    """
    groups: list[list[float]] = []
    for value in values:
        groups.append([value])
        while len(groups) > 1 and _low(groups[-1], step) < _high(groups[-2], step) + step:
            last = groups.pop()
            groups[-1] += last
    return [round(_low(group, step) + step * i, 6) for group in groups for i in range(len(group))]


def _low(group: Sequence[float], step: float) -> float:
    length = step * (len(group) - 1)
    return min(max(fmean(group) - length / 2, 0.0), max(1 - length, 0.0))


def _high(group: Sequence[float], step: float) -> float:
    return _low(group, step) + step * (len(group) - 1)
