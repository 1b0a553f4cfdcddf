"""Figures: training loss by epoch and by second, and noise of the gradient by batch size."""

from statistics import fmean

import numpy as np

from experiments.framework.curves import mean_steps
from experiments.framework.figures import label_lines
from experiments.framework.palette import COLOURS
from experiments.framework.plots import colour_of
from experiments.mini_batch.evidence import seconds, slope
from experiments.mini_batch.learning import TARGET
from experiments.mini_batch.measure import BATCHES, NOISE, TIMES


def by_epoch(axes, m) -> str | None:
    done = [name for name in BATCHES if name in m]
    if not done:
        return None
    _losses(axes, m, dict.fromkeys(done, 1.0))
    axes.set_xlabel("epochs")
    axes.set_title("Training loss by epoch and images per step")
    label_lines(axes)
    listed = ", ".join(f"{name} {mean_steps(m[name])}" for name in done)
    return (
        "Loss on all training images by epoch, the mean over seeds, each batch size at its best "
        f"learning rate. Mean epochs to {TARGET:g} nats, the dashed line: {listed}."
    )


def by_second(axes, m) -> str | None:
    done = [name for name in BATCHES if name in m and TIMES in m]
    if not done:
        return None
    _losses(axes, m, {name: fmean(m[TIMES][name]) for name in done})
    axes.set_xlabel("seconds of training")
    axes.set_title("Training loss by time and images per step")
    label_lines(axes)
    listed = ", ".join(f"{name} {fmean(2**s for s in seconds(m, name)):.3f}" for name in done)
    return (
        "Loss on all training images by seconds of training without compilation, the mean over "
        "seeds, each batch size at its best learning rate. Mean seconds to "
        f"{TARGET:g} nats, the dashed line, or of all epochs where it is not reached: {listed}."
    )


def _losses(axes, m, unit):
    """Loss after each epoch; an epoch is `unit` wide."""
    for name, width in unit.items():
        loss = np.mean(m[name]["loss"], 0)[1:]
        across = width * np.arange(1, len(loss) + 1)
        axes.plot(across, loss, color=colour_of(name), lw=2, label=name)
    axes.axhline(TARGET, color=COLOURS["soft"], lw=1, ls="--", zorder=0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylabel("training loss, nats")


def deviations(axes, m) -> str | None:
    if NOISE not in m:
        return None
    found, captions = m[NOISE]["points"], []
    sizes = [int(size) for size in found["initial"][0]["noise"]]
    for (name, points), colour in zip(found.items(), ("blue", "vermillion"), strict=True):
        sigma = fmean(point["sigma"] for point in points)
        line = [sigma / size**0.5 for size in sizes]
        means = [fmean(point["noise"][str(size)] for point in points) for size in sizes]
        axes.plot(sizes, line, color=COLOURS["soft"], lw=1, ls="--", zorder=0)
        axes.plot(sizes, means, "o", color=COLOURS[colour], ms=7, label=name)
        captions.append(f"{fmean(map(slope, points)):.3f} at {name} parameters".replace("-", "−"))
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("images in the mini-batch, drawn with replacement")
    axes.set_ylabel("noise of the gradient")
    axes.set_title("Noise of the gradient by batch size")
    label_lines(axes)
    return (
        "Noise of the mini-batch gradient: its root mean squared distance from the gradient of all "
        "images, the mean over seeds, on logarithmic axes. Dashed: noise of one image, divided by "
        f"√n. Slopes: {' and '.join(captions)}; that of 1/√n is −0.5."
    )
