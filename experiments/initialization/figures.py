"""Figures: histograms of activations by layer, gradients by layer, and accuracy by start."""

from functools import partial
from statistics import fmean

import numpy as np

from experiments.framework.figures import label_lines
from experiments.framework.palette import COLOURS
from experiments.framework.plots import colour_of, dots
from experiments.framework.statistics import percent
from experiments.initialization.evidence import outer
from experiments.initialization.measure import BINS, RANGES
from experiments.initialization.networks import ACTIVATIONS, HIDDEN, STARTS

WIDE = 0.84  # of a histogram, in a cell of width 1
SMALL = 1e-30  # a gradient of 0 has no logarithm, and no point


def histograms(activation, axes, m) -> str | None:
    """The textbook's picture: one panel for each start and layer."""
    if activation not in m:
        return None
    low, high = RANGES[activation]
    edges = np.linspace(0, WIDE, BINS + 1)
    for row, (start, r) in enumerate(m[activation]["starts"].items()):
        shares = np.mean(r["histogram"], axis=0)
        for layer, values in enumerate(shares):
            tops = -row + 0.84 * values / values.max()
            style = {"fill": True, "color": colour_of(start)}
            axes.stairs(tops, layer + edges, baseline=-row - 0.02, **style)
    for layer in range(HIDDEN):
        axes.text(layer + WIDE / 2, 1.0, f"layer {layer + 1}", ha="center", va="bottom")
    axes.set_yticks([0.4 - row for row in range(len(STARTS))], list(STARTS))
    ends = [layer + end for layer in range(HIDDEN) for end in (0, WIDE)]
    axes.set_xticks(ends, [f"{low:g}".replace("-", "−"), f"{high:g}"] * HIDDEN)
    for i, label in enumerate(axes.get_xticklabels()):
        label.set_ha("right" if i % 2 else "left")
    axes.set_ylim(-len(STARTS) + 0.9, 1.3)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False)
    axes.set_xlabel(f"activation of {activation}")
    axes.set_title(f"Activations of {activation} by layer")
    return (
        f"Histograms of the activations of {activation} before training, by hidden layer, one row "
        f"per start, the mean over seeds; each is scaled to its highest bin. "
        f"{_described(activation, m[activation]['starts'])}"
    )


def _described(activation, starts) -> str:
    low, high = RANGES[activation]
    if activation == "relu":
        ends = lambda r: " and ".join(f"{v:.2g}" for v in np.mean(r["rms"], axis=0)[[0, -1]])
        what = f"Values above {high:g} are in the last bin. Root mean square in layers 1 and"
        return f"{what} {HIDDEN}: {', '.join(f'{k} {ends(r)}' for k, r in starts.items())}."
    listed = ", ".join(f"{k} {fmean(outer(r)):.0f}" for k, r in starts.items())
    tenth = (high - low) / 10
    where = f"below {low + tenth:g} or above {high - tenth:g}".replace("-", "−")
    return f"Percent of all activations that are {where}: {listed}."


def by_layer(activation, axes, m) -> str | None:
    """RMS of the gradient of each layer's weights, before training."""
    if activation not in m:
        return None
    starts, captions = m[activation]["starts"], []
    for start, r in starts.items():
        values = np.array(r["gradient"])
        if values.min() < SMALL:
            captions.append(f"{start} 0" if values.max() == 0 else f"{start} partly 0")
            continue
        middle = np.exp(np.log(values).mean(0))
        x = range(1, HIDDEN + 1)
        axes.plot(x, middle, "o-", color=colour_of(start), lw=2, ms=5, label=start)
        bounds = values.min(0), values.max(0)
        axes.fill_between(x, *bounds, color=colour_of(start), alpha=0.15, lw=0)
        captions.append(f"{start} {middle[0]:.2g} and {middle[-1]:.2g}")
    axes.set_yscale("log")
    axes.set_xticks(range(1, HIDDEN + 1))
    axes.set_xlabel("hidden layer")
    axes.set_ylabel("RMS of the gradient of the weights")
    axes.set_title(f"Gradient of {activation} by layer")
    label_lines(axes)
    return (
        f"Root mean square of the gradient of the weights with {activation} before training, by "
        "hidden layer, the geometric mean over seeds; bands: from the smallest seed to the "
        f"largest. A gradient of 0 has no line. Layers 1 and {HIDDEN}: {', '.join(captions)}."
    )


def accuracy(activation, axes, m) -> str | None:
    if activation not in m:
        return None
    starts = m[activation]["starts"]
    found = {start: percent(r["test"]) for start, r in starts.items() if r["test"]}
    dots(axes, found, "test accuracy, %")
    chance = 100 / m[activation]["classes"]
    axes.axvline(chance, color=COLOURS["soft"], lw=1, ls="--", zorder=0)
    axes.set_title(f"Test accuracy with {activation} by start")
    listed = ", ".join(f"{start} {fmean(values):.1f}" for start, values in found.items())
    diverged = ", ".join(start for start in starts if start not in found)
    return (
        f"Test accuracy with {activation} from each start at its best learning rate, one dot per "
        f"seed, with the mean in percent: {listed}. Dashed: chance, {chance:g} %."
        f"{f' Training diverges at every rate from {diverged}.' if diverged else ''}"
    )


FIGURES = {
    f"{name}_of_{activation}": partial(draw, activation)
    for activation in ACTIVATIONS
    for name, draw in {
        "activations": histograms,
        "gradient": by_layer,
        "accuracy": accuracy,
    }.items()
}
