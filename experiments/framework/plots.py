"""Plots that experiments share: dots and lines over seeds, cells with numbers, and rows of images.

    dots(axes, {"dense": [97.1, 97.4], "conv3": [98.2, 98.1]}, "test accuracy, %")
    lines(axes, {"dense": {0: [97.1, 97.4], 1: [60.2, 61.0]}}, "shift, pixels", "test accuracy, %")
    cells(axes, [[1, 2], [3, 4]], left=0, top=0, colour=lambda row, column: "blue")

A method has the same colour in all figures.
"""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

import numpy as np

from experiments.framework.figures import label_lines
from experiments.framework.palette import COLOURS

METHODS = {
    "vermillion": (
        *("dense", "sigmoid", "autodiff", "loops in NumPy", "baseline", "without dropout"),
        *("softmax regression", "linear, depth 4", "SGD", "squared error", "sd 1", "plain"),
        *("no normalization", "raw pixels", "1 image", "neither"),
    ),
    "green": (
        *("local3", "tanh", "gap", "tiled", "mean", "FReLU, conv", "AdaGrad", "Xavier"),
        *("layer norm", "LSTM", "Gabor", "both"),
    ),
    "gold": (
        *("stride", "leaky relu", "momentum", "sd 0.01", "instance norm", "GRU"),
        "weight decay",
    ),
    "purple": ("L2", "ELU", "Nesterov", "group norm", "RNN", "pretraining", "random"),
    "sky": ("L4", "swish", "32 images"),
    "navy": ("max", "max pool", "mish", "attention", "all images", "RMSProp", "linear"),
    "soft": (
        *("chance", "training", "auto", "lax", "lax_forward", "taps", "winograd", "fft", "zeros"),
        *("seasonal naive", "last value"),
    ),
}
_COLOURS = {name: COLOURS[colour] for colour, names in METHODS.items() for name in names}


def colour_of(method: str) -> str:
    """The colour of a method: blue for convolution, relu and all that METHODS does not have."""
    return _COLOURS.get(method, COLOURS["blue"])


def dots(
    axes: Any,
    values: Mapping[str, Sequence[float]],
    label: str,
    form: str = ".1f",
    middle: Callable[[Sequence[float]], float] = fmean,
    colour: str = "",
) -> None:
    """One row per name: a dot per seed, a bar at the mean, and the mean as a number.

    Dots never coincide. `middle` may also be the median. Rows that are not methods have `colour`.
    """
    name = "mean" if middle is fmean else middle.__name__
    for row, (method, each) in enumerate(values.items()):
        of, at = COLOURS[colour] if colour else colour_of(method), middle(each)
        places = [row + 0.5 * ((i + 0.5) / len(each) - 0.5) for i in range(len(each))]
        axes.plot(each, places, "o", color=of, ms=5, alpha=0.6, label="each")
        axes.plot(at, row, "|", color=of, ms=150 / max(7, len(values)), mew=2.5, label=name)
        _beside(axes, row, f"{at:{form}}".replace("-", "−"))
    _beside(axes, -0.9, name)
    axes.set_yticks(range(len(values)), list(values))
    axes.set_ylim(len(values) - 0.4, -1.3)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.set_xlabel(label)


def _beside(axes, row, text):
    axes.text(1.02, row, text, va="center", transform=axes.get_yaxis_transform())


def lines(
    axes: Any,
    curves: Mapping[str, Mapping[float, Sequence[float]]],
    across: str,
    up: str,
    at: Sequence[float] = (),
) -> None:
    """One line per name through the means over seeds, with a band of one standard deviation.

    Names are at the right end. With `at`, the axis is logarithmic and has these ticks.
    """
    for name, curve in curves.items():
        x = sorted(curve)
        means = np.array([fmean(curve[a]) for a in x])
        deviations = np.array([stdev(curve[a]) if len(curve[a]) > 1 else 0 for a in x])
        axes.plot(x, means, "o-", color=colour_of(name), label=name, lw=2, ms=5)
        band = {"color": colour_of(name), "alpha": 0.15, "lw": 0}
        axes.fill_between(x, means - deviations, means + deviations, **band)
    if at:
        axes.set_xscale("log")
        axes.set_xticks(at, [f"{a:,g}" for a in at])
        axes.minorticks_off()
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    label_lines(axes)


def losses(
    axes: Any,
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    target: float,
    up: str = "training loss, nats",
) -> None:
    """One line per name through steps and losses, on a logarithmic axis, with a target line."""
    for name, (steps, loss) in curves.items():
        axes.plot(steps, loss, color=colour_of(name), lw=2, label=name)
    axes.axhline(target, color=COLOURS["soft"], lw=1, ls="--", zorder=0)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("training step")
    axes.set_ylabel(up)
    label_lines(axes)


def cells(
    axes: Any,
    values: Sequence[Sequence[Any]],
    left: float,
    top: float,
    colour: Callable[[int, int], str | None] = lambda row, column: None,
    alpha: Callable[[int, int], float] = lambda row, column: 0.4,
) -> None:
    """A grid of cells with numbers, each one unit wide, on pale colours of the palette."""
    from matplotlib.patches import Rectangle

    for row, line in enumerate(values):
        for column, value in enumerate(line):
            x, y = left + column, top + row
            face = {"color": COLOURS[colour(row, column) or "line"], "alpha": alpha(row, column)}
            axes.add_patch(Rectangle((x + 0.04, y + 0.04), 0.92, 0.92, lw=0, **face))
            text = value if isinstance(value, str) else f"{value:.3g}"
            axes.text(x + 0.5, y + 0.5, text, ha="center", va="center")


def drawing(axes: Any, width: float, height: float, above: float = 0.0) -> None:
    """Axes without ticks, in units of cells; y points down, and starts at -above."""
    axes.set_xlim(0, width)
    axes.set_ylim(height, -above)
    axes.set_aspect("equal")
    axes.axis("off")


def images(axes: Any, rows: Sequence[Sequence[tuple[str, Any]]], **options: Any) -> None:
    """Rows of images, each with its title above. `options` are those of `imshow`.

    Image c of row r covers c to c + 1 across; its top is at 1.3 r.
    """
    for r, row in enumerate(rows):
        for c, (title, image) in enumerate(row):
            extent = (c + 0.04, c + 0.96, 1.3 * r + 0.92, 1.3 * r)
            axes.imshow(np.asarray(image), extent=extent, **{"cmap": "gray_r", **options})
            axes.text(c + 0.5, 1.3 * r - 0.04, title, ha="center", va="bottom")
    drawing(axes, max(map(len, rows)), 1.3 * len(rows) - 0.35, above=0.25)
