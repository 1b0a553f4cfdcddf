"""Figures: histograms of activations by layer, gradients by layer, and accuracy by start."""

from functools import partial
from statistics import fmean

import numpy as np

from experiments.framework.figures import label_lines
from experiments.framework.palette import COLOURS
from experiments.framework.plots import colour_of
from experiments.framework.statistics import percent
from experiments.initialization.evidence import TENTH
from experiments.initialization.measure import BINS, RANGES
from experiments.initialization.networks import ACTIVATIONS, HIDDEN, STARTS

SMALL = 1e-30  # a gradient of 0 has no logarithm, and no point


def histograms(activation, axes, m) -> str | None:
    """The textbook's picture: one panel for each start and layer."""
    if activation not in m:
        return None
    low, high = RANGES[activation]
    edges, outer = np.linspace(0, 0.86, BINS + 1), {}
    for row, (start, r) in enumerate(m[activation]["starts"].items()):
        shares = np.mean(r["histogram"], axis=0)
        outer[start] = 100 * (shares[:, :TENTH].sum(-1) + shares[:, -TENTH:].sum(-1))
        for layer, values in enumerate(shares):
            tops = -row + 0.84 * values / values.max()
            style = {"fill": True, "color": colour_of(start)}
            axes.stairs(tops, layer + edges, baseline=-row - 0.02, **style)
    for layer in range(HIDDEN):
        axes.text(layer + 0.43, 1.0, f"layer {layer + 1}", ha="center", va="bottom")
    axes.set_yticks([0.4 - row for row in range(len(STARTS))], list(STARTS))
    ends = [layer + end for layer in range(HIDDEN) for end in (0, 0.86)]
    axes.set_xticks(ends, [f"{low:g}".replace("-", "−"), f"{high:g}"] * HIDDEN)
    axes.set_ylim(-len(STARTS) + 0.9, 1.3)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False)
    axes.set_xlabel(f"activation of {activation}")
    axes.set_title(f"Activations of {activation} by layer, before training")
    beyond = f" Values above {high:g} are in the last bin." if activation == "relu" else ""
    tenth = (high - low) / 10
    where = f"below {low + tenth:g} or above {high - tenth:g}".replace("-", "−")
    listed = ", ".join(f"{k} {v[0]:.0f} and {v[-1]:.0f}" for k, v in outer.items())
    return (
        f"Histograms of the activations of {activation} in five hidden layers, one row per start, "
        f"from {low:g} to {high:g}, the mean over seeds; each histogram is scaled to its highest bin."
        f"{beyond} Percent of activations {where}, in the first and the last layer: {listed}."
    )


def by_layer(activation, axes, m) -> str | None:
    """RMS of the gradient of each layer's weights, before training."""
    if activation not in m:
        return None
    starts, captions = m[activation]["starts"], []
    for start, r in starts.items():
        values = np.array(r["gradient"])
        if values.min() < SMALL:
            captions.append(f"{start} 0")
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
    axes.set_title(f"Gradient of {activation} by layer, before training")
    label_lines(axes)
    return (
        f"Root mean square of the gradient of the weights by hidden layer with {activation}, on a "
        "logarithmic axis, the geometric mean over seeds; bands: from the smallest seed to the "
        f"largest. A gradient of 0 has no line. Layer 1 and layer {HIDDEN}: {', '.join(captions)}."
    )


def accuracy(axes, m) -> str | None:
    """Test accuracy from each start: a row per activation and start, a dot per seed."""
    done = [name for name in ACTIVATIONS if name in m]
    if not done:
        return None
    ticks, captions = [], []
    for i, name in enumerate(done):
        found = {k: percent(r["test"]) for k, r in m[name]["starts"].items() if r["test"]}
        for j, start in enumerate(STARTS):
            row = j + (len(STARTS) + 1) * i
            ticks.append((row, start))
            values, colour = found.get(start, []), colour_of(start)
            places = [row + 0.5 * ((k + 0.5) / len(values) - 0.5) for k in range(len(values))]
            axes.plot(values, places, "o", color=colour, ms=4, alpha=0.6, label=f"{name}, {start}")
            text = f"{fmean(values):.1f}" if values else "diverges"
            axes.text(1.02, row, text, va="center", transform=axes.get_yaxis_transform())
        axes.text(0.02, (len(STARTS) + 1) * i - 1, name, transform=axes.get_yaxis_transform())
        captions.append(f"{name}: {', '.join(f'{k} {fmean(v):.1f}' for k, v in found.items())}")
    axes.set_yticks(*zip(*ticks, strict=True))
    axes.set_ylim((len(STARTS) + 1) * len(done) - 1.4, -1.8)
    axes.axvline(100 / m[done[0]]["classes"], color=COLOURS["soft"], lw=1, ls="--", zorder=0)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.set_xlim(0, 102)
    axes.set_xlabel("test accuracy, %")
    axes.set_title("Test accuracy by start, at the best rate")
    return (
        "Test accuracy from each start, one dot per seed, with the mean at the right, each at the "
        "learning rate that is best on validation images; dashed: chance. Means in percent: "
        f"{'; '.join(captions)}."
    )


FIGURES = {
    **{f"activations_of_{name}": partial(histograms, name) for name in ACTIVATIONS},
    **{f"gradient_of_{name}": partial(by_layer, name) for name in ACTIVATIONS},
    "accuracy": accuracy,
}
