"""Figures: accuracy by step, gradients of wrong outputs, and test accuracy.

A line has the colour of its loss and the style of its output function.
"""

from statistics import fmean

import numpy as np

from experiments.framework.curves import mean_steps
from experiments.framework.figures import label_lines
from experiments.framework.palette import COLOURS
from experiments.framework.plots import colour_of, dots
from experiments.framework.statistics import percent
from experiments.framework.trained import STEPS
from experiments.losses.formulas import ODDS
from experiments.losses.learning import TARGET
from experiments.losses.measure import GRADIENTS
from experiments.losses.pairs import LOSSES, PAIRS

STYLES = {"softmax": "-", "sigmoid": "--", "identity": ":"}


def _draw(axes, name, x, y):
    output, loss = name.split(", ")
    axes.plot(x, y, color=colour_of(loss), ls=STYLES[output], lw=2, label=output)


def _name_losses(axes, heights):
    for loss, height in zip(LOSSES, heights, strict=True):
        axes.text(0.5, height, loss, color=colour_of(loss), transform=axes.transAxes)


def learning(axes, m) -> str | None:
    done = [name for name in PAIRS if name in m]
    if not done:
        return None
    for name in done:
        accuracy = percent(m[name]["accuracy"])
        steps = [STEPS * (i + 1) for i in range(len(accuracy))]
        _draw(axes, name, steps, accuracy)
    axes.set_ylim(min(70, *(100 * m[name]["accuracy"][-1] - 5 for name in done)), 100.5)
    axes.axhline(100 * TARGET, color=COLOURS["soft"], lw=1, ls="--", zorder=0)
    axes.set_xlabel("training step")
    axes.set_ylabel("training accuracy, %")
    axes.set_title("Training accuracy by output and loss")
    _name_losses(axes, (0.3, 0.4))
    label_lines(axes)
    listed = "; ".join(f"{name}: {mean_steps(m[name])}" for name in done)
    return (
        "Accuracy of the last 25 batches by step, the mean over seeds, each pair of output and "
        "loss at its best learning rate. Blue: cross entropy; red: squared error. Solid: softmax; "
        "dashed: sigmoid; dotted: identity. Mean steps to "
        f"{100 * TARGET:g} %, the grey line: {listed}."
    )


def vanishing(axes, m) -> str | None:
    if GRADIENTS not in m:
        return None
    curves = m[GRADIENTS]["curves"]
    other = 1 / (1 + np.exp(ODDS))
    for name, norms in curves.items():
        _draw(axes, name, other, norms)
    axes.set_xscale("log")
    axes.invert_xaxis()
    axes.set_yscale("log")
    axes.set_xlabel("1 − confidence of the wrong output")
    axes.set_ylabel("norm of the gradient")
    axes.set_title("Gradient by the logits of a wrong output")
    _name_losses(axes, (0.65, 0.85))
    label_lines(axes)
    at = int(np.argmin(np.abs(np.log10(other) + 3)))
    listed = "; ".join(f"{name}: {norms[at]:.2g}" for name, norms in curves.items())
    return (
        "Norm of the loss's gradient with respect to the logits, by 1 − confidence of a wrong "
        "output, which falls from 0.5 to the right. With squared error (red) the norm falls in "
        "proportion to it; with cross entropy (blue) it does not. Solid: softmax; dashed: sigmoid. "
        f"At 1 − confidence = {other[at]:.2g}: {listed}."
    )


def accuracies(axes, m) -> str | None:
    found = {name.replace(", ", ",\n"): percent(m[name]["test"]) for name in PAIRS if name in m}
    if not found:
        return None
    dots(axes, found, "test accuracy, %", colour="soft")
    axes.set_title("Test accuracy by output and loss")
    listed = "; ".join(f"{name.replace(chr(10), ' ')}: {fmean(v):.1f}" for name, v in found.items())
    return f"Test accuracy of each pair, one dot per seed, with the mean: {listed} %."
