"""Figures: test error by length in each task, and gradients by distance."""

from statistics import fmean

import numpy as np

from experiments.framework.palette import COLOURS
from experiments.framework.plots import lines
from experiments.memory.evidence import falls, log_reach
from experiments.memory.networks import KINDS
from experiments.memory.tasks import TASKS


def by_delay(axes, m) -> str | None:
    axes.set_title("Copy task: symbols wrong after a delay")
    return _errors(axes, m, "copy", "delay T, steps")


def by_length(axes, m) -> str | None:
    axes.set_title("Adding problem: error by length")
    return _errors(axes, m, "adding", "length T, steps")


def _errors(axes, m, task, across) -> str | None:
    found = {kind: m[f"{task}, {kind}"]["error"] for kind in KINDS if f"{task}, {kind}" in m}
    if not found:
        return None
    axes.axhline(TASKS[task].bound, color=COLOURS["soft"], lw=1, ls="--", zorder=0)
    top = max(max(map(max, by.values())) for by in found.values())
    axes.set_ylim(0, 1.1 * max(top, TASKS[task].bound))
    curves: dict[str, dict[float, list[float]]] = {
        kind: {int(t): each for t, each in by.items()} for kind, by in found.items()
    }
    lengths = sorted(next(iter(curves.values())))
    lines(axes, curves, across, TASKS[task].unit, lengths)
    reached = ", ".join(f"{k} {2 ** fmean(log_reach(m, task, k)):.0f}" for k in found)
    return (
        f"Test error ({TASKS[task].unit}) against {across}, logarithmic; networks are trained at "
        f"each T separately. Reach in steps, the geometric mean over seeds: {reached}; a seed "
        f"that reaches no T counts as {min(lengths) / 2:g}. Dashed: the "
        f"bound of the reach, {TASKS[task].bound:.3g}. Bands: one standard deviation over seeds."
    )


def initial_gradient(axes, m) -> str | None:
    axes.set_title("Gradient through time, before training")
    return _gradient(axes, m, "initial")


def trained_gradient(axes, m) -> str | None:
    axes.set_title("Gradient through time, after training")
    return _gradient(axes, m, "trained")


def _gradient(axes, m, when) -> str | None:
    done = [kind for kind in KINDS if when in m.get(f"adding, {kind}", {})]
    if not done:
        return None
    curves = {}
    for kind in done:
        norms = np.log10(m[f"adding, {kind}"][when])
        relative = norms - norms[:, :1]
        curves[kind] = {d + 1.0: relative[:, d].tolist() for d in range(relative.shape[1])}
    lines(axes, curves, "distance from the last step, steps", "log10 of gradient / nearest")
    fell = ", ".join(f"{kind} {fmean(falls(m, kind, when)):.2f}" for kind in done)
    return (
        "Norm of the gradient of the last step's loss with respect to the input, against the "
        "distance in steps, relative to distance 1, as log10; −1 is a tenth. Adding problem, "
        f"{when} parameters. Decades of fall per 10 steps: {fell.replace('-', '−')}. Bands: one "
        "standard deviation over seeds."
    )
