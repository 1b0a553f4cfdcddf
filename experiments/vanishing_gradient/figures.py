"""Figures: gradients by layer and by depth, and with each remedy; accuracy with each remedy."""

from math import log10
from statistics import fmean

from experiments.framework.palette import COLOURS
from experiments.framework.plots import dots, lines
from experiments.framework.statistics import percent
from experiments.vanishing_gradient.evidence import decades, fall
from experiments.vanishing_gradient.measure import GRADIENTS, REMEDIES

BACK, RELATIVE = "layers back from the last one", "log10 of gradient / last layer"
SIGMOID = ("plain", "batch norm", "residual", "pretraining")
BANDS = "Means over seeds; bands: one standard deviation."


def by_activation(axes, m) -> str | None:
    """Gradients of all layers of the deepest network."""
    if GRADIENTS not in m:
        return None
    depth = m[GRADIENTS]["depths"][-1]
    found = {name: _relative(decades(m, name, depth)) for name in m[GRADIENTS]["rms"]}
    axes.set_title(f"Gradient by layer, {depth} hidden layers")
    lines(axes, found, BACK, RELATIVE)
    return (
        "log10 of the root mean square of the gradient of the weights by hidden layer, relative to "
        f"the last layer, before training. In the first of {depth} layers: {_first(found)}. {BANDS}"
    )


def by_depth(axes, m) -> str | None:
    """Decades that are lost between the last hidden layer and the first."""
    if GRADIENTS not in m:
        return None
    depths = m[GRADIENTS]["depths"]
    of = lambda name, depth: list(map(fall, decades(m, name, depth)))
    found = {name: {d: of(name, d) for d in depths} for name in m[GRADIENTS]["rms"]}
    axes.set_title("Decades of gradient lost, by depth")
    lines(axes, found, "hidden layers", "decades, last to first layer")
    ends = ", ".join(
        f"{name} {_number(by[depths[0]])} to {_number(by[depths[-1]])}"
        for name, by in found.items()
    )
    return (
        "Decades by which the gradient of the first hidden layer's weights is smaller than that of "
        f"the last one's, before training, by the number of hidden layers. From {depths[0]} to "
        f"{depths[-1]}: {ends}. {BANDS}"
    )


def by_remedy(axes, m) -> str | None:
    """Gradients of all layers of the trained networks with sigmoid, before training."""
    done = [name for name in SIGMOID if name in m]
    if not done:
        return None
    logs = {name: [list(map(log10, seed)) for seed in m[name]["gradient"]] for name in done}
    found = {name: _relative(each) for name, each in logs.items()}
    axes.set_title("Gradient by layer with sigmoid")
    lines(axes, found, BACK, RELATIVE)
    return (
        "log10 of the root mean square of the gradient of the weights by hidden layer with "
        "sigmoid, relative to the last layer, before training with labels. In the first layer: "
        f"{_first(found)}. {BANDS}"
    )


def accuracy(axes, m) -> str | None:
    found = {name: percent(m[name]["test"]) for name in REMEDIES if name in m}
    if not found:
        return None
    labels = {name: name if "relu" in name else f"sigmoid, {name}" for name in found}
    dots(axes, found, "test accuracy, %")
    axes.set_yticks(range(len(found)), [labels[name] for name in found])
    chance = 100 / m[next(iter(found))]["classes"]
    axes.axvline(chance, color=COLOURS["soft"], lw=1, ls="--", zorder=0)
    layers = len(next(iter(m[name]["gradient"] for name in found))[0])
    axes.set_title(f"Test accuracy with {layers} hidden layers")
    listed = ", ".join(f"{labels[name]} {fmean(values):.1f}" for name, values in found.items())
    return (
        f"Test accuracy of networks with {layers} hidden layers, each at its best learning rate, "
        f"one dot per seed, with the mean in percent: {listed}. Dashed: chance, {chance:g} %."
    )


def _relative(logs) -> dict[float, list[float]]:
    """For each hidden layer, back from the last, log10 relative to the last layer, by seed."""
    return {i: [seed[-1 - i] - seed[-1] for seed in logs] for i in range(len(logs[0]))}


def _first(found) -> str:
    return ", ".join(f"{name} {_number(by[max(by)])}" for name, by in found.items())


def _number(values) -> str:
    """The mean, without a minus before 0."""
    return f"{round(fmean(values), 1) + 0:.1f}".replace("-", "−")
