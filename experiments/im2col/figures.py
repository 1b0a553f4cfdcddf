"""Figures: windows as rows of a matrix, time per multiply-add, and memory by size."""

from statistics import median

from experiments.framework.palette import COLOURS
from experiments.framework.plots import cells, colour_of, dots, drawing
from experiments.im2col.measure import EXAMPLE, IM2COL, LOOPS, sizes


def rows_of_4x4(axes, m) -> str | None:
    """The textbook's picture: each window of a 4×4 image becomes one row."""
    if EXAMPLE not in m:
        return None
    rows = m[EXAMPLE]["rows"]
    image = [range(first, first + 4) for first in (1, 5, 9, 13)]
    cells(axes, image, 0, 0, lambda row, column: "blue" if image[row][column] in rows[0] else None)
    cells(axes, rows, 6, 0, lambda row, column: None if row else "blue")
    arrow = {"arrowstyle": "->", "color": COLOURS["blue"], "lw": 1.5}
    axes.annotate("", (5.8, 0.5), (4.2, 0.5), arrowprops=arrow)
    axes.text(2, -0.3, "image", ha="center")
    axes.text(10.5, -0.3, "one row per window", ha="center")
    drawing(axes, 15, 4, above=1)
    axes.set_title("im2col of a 4×4 image with a 3×3 window")
    return (
        f"The {len(rows)} windows of 3×3 in a 4×4 image become {len(rows)} rows of "
        f"{len(rows[0])} numbers; the first window and its row are blue. The image has 16 "
        f"numbers, the rows have {len(rows) * len(rows[0])}."
    )


def by_time(axes, m) -> str | None:
    found = [r for r in sizes(m).values() if not r["looped"]]
    if not found:
        return None
    each = lambda r, name: 1e9 * min(r["seconds"][name]) / r["multiply_adds"]
    times = {name: [each(r, name) for r in found] for name in found[0]["seconds"]}
    order = sorted(times, key=lambda name: -median(times[name]))
    axes.set_xscale("log")
    label = "nanoseconds per multiply-add"
    dots(axes, {name: times[name] for name in order}, label, ".2g", median)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_title("Time by implementation")
    middle = {name: median(values) for name, values in times.items()}
    return (
        "Time of one multiply-add, one dot per size that is not looped, with the median. Medians: "
        f"{middle[LOOPS]:.3g} nanoseconds by loops, {middle[IM2COL]:.3g} by im2col in NumPy, "
        f"{middle['im2col']:.3g} by im2col in JAX, {middle['auto']:.3g} by fcnn's own choice."
    )


def by_memory(axes, m) -> str | None:
    found = sizes(m)
    if not found:
        return None
    for impl, offset in (("im2col", -0.2), ("tiled", 0.2)):
        values = [r["memory"][impl] / r["input"] for r in found.values()]
        places = [i + offset for i in range(len(values))]
        axes.barh(places, values, 0.36, color=colour_of(impl), label=impl)
        axes.text(values[0], places[0], f" {impl}", va="center_baseline")
    axes.axvline(9, color=COLOURS["soft"], lw=1, ls="--", zorder=0)
    axes.set_yticks(range(len(found)), list(found))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.set_xlabel("multiples of the input's bytes")
    axes.set_title("Memory allocated, by size")
    ratio = [r["memory"]["tiled"] / r["memory"]["im2col"] for r in found.values()]
    largest = max(r["memory"]["im2col"] / r["input"] for r in found.values())
    return (
        "Bytes that the compiled convolution allocates besides input and output, relative to those "
        "of the input, by size; the line is at 9, the cells of a 3×3 window. im2col allocates up "
        f"to {largest:.0f} times the input, tiled {min(ratio):.2f} to {max(ratio):.2f} times as "
        "much as im2col."
    )
