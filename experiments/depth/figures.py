"""Figures: accuracy by depth, training loss by step, accuracy by width, and accuracy by shape."""

from statistics import fmean

from experiments.depth.measure import (
    DEEP,
    DEPTHS,
    MIDDLE,
    NARROW,
    SHALLOW,
    WIDE,
    WIDTHS,
    by_depth,
    by_width,
)
from experiments.depth.networks import KINDS, SHAPES
from experiments.framework.figures import label_lines
from experiments.framework.plots import colour_of, dots, lines
from experiments.framework.statistics import percent
from experiments.framework.trained import STEPS

NAMES = {"train": "training", "test": "test"}


def training_by_depth(axes, m) -> str | None:
    return _by_depth(axes, m, "train")


def test_by_depth(axes, m) -> str | None:
    return _by_depth(axes, m, "test")


def _by_depth(axes, m, which):
    if not all(by_depth(kind, depth) in m for kind in KINDS for depth in DEPTHS):
        return None
    accuracy = lambda kind, depth: percent(m[by_depth(kind, depth)][which])
    found = {kind: {float(d): accuracy(kind, d) for d in DEPTHS} for kind in KINDS}
    what = f"{NAMES[which]} accuracy"
    axes.set_title(f"{what.capitalize()} by depth")
    lines(axes, found, "dense layers", f"{what}, %", at=DEPTHS)
    each = (
        f"{kind} {fmean(curve[SHALLOW]):.1f} % with {SHALLOW} and {fmean(curve[DEEP]):.1f} % with "
        f"{DEEP} layers"
        for kind, curve in found.items()
    )
    return (
        f"{what.capitalize()} by the number of dense layers, plain and residual, both with batch "
        f"norm: {'; '.join(each)}. Bands: one standard deviation over seeds."
    )


def learning(axes, m) -> str | None:
    """He et al.'s picture: training of a shallow and of a deep network, plain and residual."""
    if not all(by_depth(kind, depth) in m for kind in KINDS for depth in (SHALLOW, DEEP)):
        return None
    for kind in KINDS:
        for depth, ls in ((SHALLOW, "--"), (DEEP, "-")):
            loss = m[by_depth(kind, depth)]["loss"]
            steps = [STEPS * (i + 0.5) for i in range(len(loss))]
            label = f"{kind} {depth}"
            axes.plot(steps, loss, ls, color=colour_of(kind), lw=2, label=label)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("training step")
    axes.set_ylabel("training loss, nats")
    axes.set_title("Training of shallow and of deep networks")
    label_lines(axes)
    last = (
        f"{kind} {depth} layers {m[by_depth(kind, depth)]['loss'][-1]:.2g}"
        for kind in KINDS
        for depth in (SHALLOW, DEEP)
    )
    return (
        f"Training loss by step of networks of {SHALLOW} (dashed) and {DEEP} layers (solid), the "
        f"mean over seeds, each at its best rate. Loss of the last {STEPS} steps: "
        f"{', '.join(last)} nats."
    )


def width(axes, m) -> str | None:
    if not all(by_width(w) in m for w in WIDTHS):
        return None
    found = {
        name: {float(w): percent(m[by_width(w)][which]) for w in WIDTHS}
        for which, name in NAMES.items()
    }
    axes.set_title("Accuracy by width of the hidden layer")
    lines(axes, found, "units of the hidden layer", "accuracy, %", at=WIDTHS)
    each = (f"{w:,} units {fmean(found['test'][w]):.1f} %" for w in (NARROW, MIDDLE, WIDE))
    return (
        "Training and test accuracy by the number of units of one hidden layer. Test accuracy: "
        f"{', '.join(each)}. Bands: one standard deviation over seeds."
    )


def shape(axes, m) -> str | None:
    found = {name: percent(m[name]["test"]) for name in SHAPES if name in m}
    if not found:
        return None
    dots(axes, found, "test accuracy, %", colour="blue")
    axes.set_title("Test accuracy by shape, at equal parameters")
    each = (
        f"{name} ({'-'.join(map(str, m[name]['units']))}) {fmean(values):.1f} %"
        for name, values in found.items()
    )
    return (
        "Test accuracy of four hidden layers with equal numbers of parameters, one dot per seed, "
        f"with the mean: {', '.join(each)}."
    )
