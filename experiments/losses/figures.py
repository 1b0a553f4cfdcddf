"""Figures: accuracy by step, gradients of wrong outputs, and test accuracy."""

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
from experiments.losses.pairs import PAIRS

STYLES = {"softmax": "-", "sigmoid": "--", "identity": ":"}


def _style(name):
    """The colour of the loss, and the line of the output."""
    output, loss = name.split(", ")
    return {"color": colour_of(loss), "ls": STYLES[output], "lw": 2, "label": f"{output},\n{loss}"}


def learning(axes, m) -> str | None:
    done = [name for name in PAIRS if name in m]
    if not done:
        return None
    for name in done:
        accuracy = percent(m[name]["accuracy"])
        steps = [STEPS * (i + 1) for i in range(len(accuracy))]
        axes.plot(steps, accuracy, **_style(name))
    axes.axhline(100 * TARGET, color=COLOURS["soft"], lw=1, ls="--", zorder=0)
    axes.set_xlabel("training step")
    axes.set_ylabel("training accuracy, %")
    axes.set_title("Training accuracy by output and loss")
    label_lines(axes)
    listed = "; ".join(f"{name}: {mean_steps(m[name])}" for name in done)
    return (
        "Accuracy of the last 25 batches by step, the mean over seeds, each pair of output and "
        f"loss at its best learning rate. Mean steps to {100 * TARGET:g} %, the grey line: "
        f"{listed}."
    )


def vanishing(axes, m) -> str | None:
    if GRADIENTS not in m:
        return None
    curves = m[GRADIENTS]["curves"]
    nines = -np.log10(1 / (1 + np.exp(ODDS)))  # of the confidence
    for name, norms in curves.items():
        axes.plot(nines, norms, **_style(name))
    axes.set_yscale("log")
    axes.set_xticks(
        range(1, 9, 2), [f"1 − 1e−{k}" if k > 3 else f"{1 - 10**-k:g}" for k in range(1, 9, 2)]
    )
    axes.set_xlabel("confidence of the wrong output")
    axes.set_ylabel("norm of the gradient")
    axes.set_title("Gradient of the logits at a wrong output")
    label_lines(axes)
    at = int(np.argmin(np.abs(nines - 3)))
    listed = "; ".join(f"{name}: {norms[at]:.2g}" for name, norms in curves.items())
    return (
        "Norm of the loss's gradient with respect to the logits, by the confidence of a wrong "
        "output, from 0.5. With squared error it falls with 1 − confidence. At confidence "
        f"{1 - 10 ** -nines[at]:.4f}: {listed}."
    )


def accuracies(axes, m) -> str | None:
    found = {name.replace(", ", ",\n"): percent(m[name]["test"]) for name in PAIRS if name in m}
    if not found:
        return None
    dots(axes, found, "test accuracy, %", colour="blue")
    axes.set_title("Test accuracy by output and loss")
    listed = "; ".join(f"{name.replace(chr(10), ' ')}: {fmean(v):.1f}" for name, v in found.items())
    return f"Test accuracy of each pair, one dot per seed, with the mean: {listed} %."
