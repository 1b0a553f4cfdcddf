"""Figures: windows as rows of a matrix, time per multiply-add, and memory by size."""

from statistics import median

from experiments.im2col.measure import EXAMPLE, IM2COL, LOOPS

BLUE, ORANGE, GREY = "#17508f", "#d1741d", "#8a929c"


def rows_of_4x4(axes, m) -> str | None:
    """The textbook's picture: each window of a 4×4 image becomes one row."""
    if EXAMPLE not in m:
        return None
    rows = m[EXAMPLE]["rows"]
    first = set(rows[0])
    for cell in range(1, 17):
        row, column = divmod(cell - 1, 4)
        _cell(axes, column, row, cell, BLUE if cell in first else None)
    for row, values in enumerate(rows):
        for column, cell in enumerate(values):
            _cell(axes, 6 + column, row, cell, BLUE if row == 0 else None)
    axes.annotate("", (5.8, 0.5), (4.2, 0.5), arrowprops={"arrowstyle": "->", "color": BLUE})
    axes.text(2, -0.35, "image", ha="center")
    axes.text(10.5, -0.35, "one row per window", ha="center")
    axes.set_xlim(-0.2, 15.2)
    axes.set_ylim(4.3, -1)
    axes.set_aspect("equal")
    axes.axis("off")
    return (
        f"im2col of a 4×4 image with a 3×3 window: {len(rows)} windows become {len(rows)} rows of "
        f"{len(rows[0])} numbers. The first window and its row are blue. The image has 16 "
        f"numbers, the rows have {len(rows) * len(rows[0])}."
    )


def _cell(axes, x, y, text, colour):
    from matplotlib.patches import Rectangle

    face = colour or "#eef1f4"
    axes.add_patch(Rectangle((x + 0.04, y + 0.04), 0.92, 0.92, color=face, lw=0))
    ink = "white" if colour else "#1b1f24"
    axes.text(x + 0.5, y + 0.5, f"{text}", ha="center", va="center", color=ink)


def by_time(axes, m) -> str | None:
    found = [r for name, r in m.items() if name != EXAMPLE]
    if not found:
        return None
    each = lambda r, name: 1e9 * min(r["seconds"][name]) / r["multiply_adds"]
    times = {name: [each(r, name) for r in found] for name in found[0]["seconds"]}
    order = sorted(times, key=lambda name: -median(times[name]))
    for i, name in enumerate(order):
        colour = ORANGE if name == LOOPS else BLUE if "im2col" in name else GREY
        axes.plot(times[name], [i] * len(found), "o", color=colour, alpha=0.6, ms=6)
        axes.plot(median(times[name]), i, "|", color=colour, ms=20, mew=2)
    axes.set_xscale("log")
    axes.set_yticks(range(len(order)), order)
    axes.grid(axis="x")
    axes.set_xlabel("nanoseconds per multiply-add")
    middle = {name: median(values) for name, values in times.items()}
    return (
        "Time of one multiply-add, one dot per size, with the median as a bar. Medians: "
        f"{middle[LOOPS]:.3g} nanoseconds by loops, {middle[IM2COL]:.3g} by im2col in NumPy, "
        f"{middle['im2col']:.3g} by im2col in JAX, {middle['auto']:.3g} by fcnn's own choice."
    )


def by_memory(axes, m) -> str | None:
    found = {name: r for name, r in m.items() if name != EXAMPLE}
    if not found:
        return None
    for impl, colour, offset in (("im2col", BLUE, -0.13), ("tiled", ORANGE, 0.13)):
        values = [r["memory"][impl] / r["input"] for r in found.values()]
        places = [i + offset for i in range(len(values))]
        axes.barh(places, values, 0.24, color=colour)
        axes.text(values[0], places[0], f" {impl}", color=colour, va="center")
    axes.axvline(9, color=GREY, lw=1, zorder=0)
    axes.set_yticks(range(len(found)), list(found))
    axes.invert_yaxis()
    axes.grid(axis="x")
    axes.set_xlabel("bytes allocated / bytes of the input")
    ratio = [r["memory"]["tiled"] / r["memory"]["im2col"] for r in found.values()]
    twice = max(r["memory"]["im2col"] / r["input"] for r in found.values())
    return (
        "Memory that the compiled convolution allocates besides input and output, in multiples of "
        "the input, by size; the line marks the 9 of a 3×3 window. im2col allocates up to "
        f"{twice:.0f} times the input. Tiles take {min(ratio):.2f} to {max(ratio):.2f} times the "
        f"memory of im2col, and more than im2col at {sum(r >= 1 for r in ratio)} of {len(ratio)} "
        "sizes."
    )
