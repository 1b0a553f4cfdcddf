"""Figures: paths, effective steps, loss by step, sensitivity, and accuracy below the best."""

from functools import partial
from statistics import fmean

import numpy as np

from experiments.framework.curves import mean_steps
from experiments.framework.figures import label_lines
from experiments.framework.palette import COLOURS
from experiments.framework.plots import colour_of, dots, losses
from experiments.framework.statistics import percent
from experiments.optimizers.evidence import best_of, furthest, of_method, validation_scores
from experiments.optimizers.measure import (
    EFFECTIVE,
    PATHS,
    TARGET,
    WINDOW,
    lost,
    trained_part,
)
from experiments.optimizers.methods import METHODS
from experiments.optimizers.networks import NETWORKS
from experiments.optimizers.valley import STEPS, USUAL


def paths(axes, m) -> str | None:
    """The textbook's picture: the path of each method over contours."""
    if PATHS not in m:
        return None
    axes.axis("off")
    axes.set_title("Paths on x²/20 + y²")
    x, y = np.meshgrid(np.linspace(-10, 10, 101), np.linspace(-3, 3, 61))
    for i, (name, found) in enumerate(m[PATHS].items()):
        panel = axes.inset_axes((0.06 + 0.5 * (i % 2), 0.69 - 0.34 * (i // 2), 0.44, 0.22))
        levels = (0.25, 1, 2.25, 4, 6.25)
        panel.contour(x, y, x**2 / 20 + y**2, levels, colors=COLOURS["line"], linewidths=1)
        panel.plot(*zip(*found["path"], strict=True), "o-", color=colour_of(name), lw=1.3, ms=2.5)
        panel.plot(0, 0, "+", color=COLOURS["soft"])
        panel.set_title(f"{name}, rate {USUAL[name]:g}")
        panel.set_xticks((-5, 0, 5))
        panel.set_yticks((-2, 0, 2))
        panel.grid(visible=False)
        panel.tick_params(labelleft=i % 2 == 0, labelbottom=i > 3)
    turns = ", ".join(f"{name} {fmean(r['turns']):.1f}" for name, r in m[PATHS].items())
    return (
        f"{STEPS} steps on f(x, y) = x²/20 + y² from (−7, 2); x is to the right, y is upwards, and "
        "the plus is the minimum. Steps in which y changes its sign, the mean over starts and "
        f"rates: {turns}."
    )


def effective(axes, m) -> str | None:
    """The median effective step by step of training."""
    if EFFECTIVE not in m:
        return None
    for name, found in m[EFFECTIVE].items():
        at = range(1, len(found["median"]) + 1)
        axes.plot(at, found["median"], color=colour_of(name), lw=2, label=name)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")
    axes.set_xlabel("training step")
    axes.set_ylabel("effective step / learning rate")
    axes.set_title("Effective step of AdaGrad and RMSProp")
    label_lines(axes)
    grown = ", ".join(
        f"{name} {100 * (1 - r['fell'] / r['of']):.1f} %" for name, r in m[EFFECTIVE].items()
    )
    return (
        "Effective step |update| / |gradient| relative to the learning rate, the median over "
        f"the parameters of the MLP and the mean over seeds. Share of steps that grew: {grown}."
    )


def learning(axes, m, network: str) -> str | None:
    """Training loss by step, each method at its best rate."""
    found = {name: m[part] for name in METHODS if (part := trained_part(network, name)) in m}
    if not found:
        return None
    steps = lambda loss: [WINDOW * (i + 1) for i in range(len(loss))]
    axes.set_title(f"Training loss of the {network}")
    losses(axes, {name: (steps(r["loss"]), r["loss"]) for name, r in found.items()}, TARGET)
    listed = ", ".join(f"{name} {mean_steps(r)}" for name, r in found.items())
    return (
        f"Training loss of the {network} by step, the mean over seeds and {WINDOW} batches, each "
        f"method at its best rate. Mean steps to {TARGET:g} nats, the dashed line: {listed}."
    )


def sensitivity(axes, m) -> str | None:
    """Validation accuracy that is lost beside the best rate."""
    if not _complete(m):
        return None
    found = {
        name: np.mean([lost(r) for r in of_method(m, name)], axis=0).tolist() for name in METHODS
    }
    dots(axes, found, "validation accuracy lost, percentage points")
    axes.set_title("Sensitivity to the learning rate")
    listed = ", ".join(f"{name} {fmean(each):.1f}" for name, each in found.items())
    return (
        "Validation accuracy at the best rate − that at a quarter and at four times of it, the "
        "mean of both and of the three networks, one dot per seed, with the mean: "
        f"{listed} percentage points."
    )


def behind(axes, m) -> str | None:
    """Test accuracy of the method that is best on average, and of each network's best one."""
    if not _complete(m):
        return None
    network, best, average = furthest(m)
    test = lambda method: percent(m[trained_part(network, method)]["test"])
    dots(axes, {name: test(name) for name in METHODS}, "test accuracy, %")
    axes.set_title(f"Test accuracy of the {network}")
    shown = (
        f"Test accuracy of the {network}, one dot per seed, with the mean. By validation accuracy, "
    )
    if best == average:
        return f"{shown}{best} is the best method on each of the three networks."
    chosen = ", ".join(f"{n}: {best_of(each)}" for n, each in validation_scores(m).items())
    return (
        f"{shown}{average} is the best method on average over the three networks, and {best} that "
        f"of the {network}, where the two differ most. Best methods: {chosen}."
    )


def _complete(m) -> bool:
    return all(trained_part(network, name) in m for network in NETWORKS for name in METHODS)


FIGURES = {
    "paths": paths,
    "effective": effective,
    **{n.lower(): partial(learning, network=n) for n in NETWORKS},
    "sensitivity": sensitivity,
    "behind": behind,
}
