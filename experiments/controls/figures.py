"""Three figures: conv3 − dense in each control, training accuracy by step, and permuted pixels."""

from statistics import mean

import numpy as np

from experiments.controls.output import Found
from experiments.framework.figures import COLOURS, label_lines
from experiments.framework.statistics import paired

CONTROLS = {
    "as in fc_vs_conv": ("conv3", "dense"),
    "a quarter of the rate": ("conv3, rate / 4", "dense, rate / 4"),
    "tanh": ("conv3, tanh", "dense, tanh"),
    "equal multiply-adds": ("conv3", "dense-wide"),
    "no shared weights": ("local3", "dense"),
    "permuted pixels": ("conv3, permuted pixels", "dense, permuted pixels"),
}
LINES = {"dense": "vermillion", "local3": "green", "conv3": "blue"}  # network → colour


def by_control(axes, m: Found) -> str | None:
    """The gain over dense with its 95 % interval, in each control."""
    done = {k: pair for k, pair in CONTROLS.items() if all(name in m for name in pair)}
    if not done:
        return None
    gains = {}
    for i, (control, (a, b)) in enumerate(done.items()):
        values = [100 * (x - y) for x, y in zip(m[a]["test"], m[b]["test"], strict=True)]
        gains[control] = mean(values)
        if len(values) > 1:
            found = paired(values, [0.0] * len(values), 0.0)
            axes.plot([found.low, found.high], [i, i], color=COLOURS["soft"], lw=2)
        axes.plot(gains[control], i, "o", color=COLOURS["blue"])
    axes.axvline(0, color=COLOURS["soft"], lw=1)
    axes.set_yticks(range(len(done)), list(done))
    axes.invert_yaxis()
    axes.set_xlabel("accuracy gained, percentage points")
    axes.set_title("Gain of convolution in each control")
    least, most = (f(gains, key=lambda k: gains[k]) for f in (min, max))
    return (
        f"Gain of the network with local windows over the dense one in each control, with 95 % "
        f"intervals: from {gains[least]:+.2f} percentage points ({least}) to {gains[most]:+.2f} "
        f"({most})."
    )


def by_step(axes, m: Found) -> str | None:
    done = {name: m[name] for name in LINES if name in m}
    if not done:
        return None
    for name, r in done.items():
        curve = 100 * np.array(r["curve"])
        axes.plot(range(1, len(curve) + 1), curve, color=COLOURS[LINES[name]], label=name)
    target = 100 * next(iter(done.values()))["target"]
    axes.axhline(target, color=COLOURS["soft"], lw=1, ls="--")
    axes.set_xscale("log")
    axes.set_xlabel("training step")
    axes.set_ylabel("training accuracy, %")
    axes.set_title("Training accuracy by step")
    label_lines(axes)
    steps = ", ".join(f"{name} after {mean(r['steps']):,.0f}" for name, r in done.items())
    return f"Training accuracy against step. The line at {target:g} % is reached by {steps} steps."


def pixels(axes, m: Found) -> str | None:
    pair = ("dense", "dense, permuted pixels")
    if not all(name in m for name in pair):
        return None
    images = [np.array(m[name]["image"]) for name in pair]
    gap = np.full((len(images[0]), 2), np.nan)
    axes.imshow(np.concatenate([images[0], gap, images[1]], axis=1), cmap="Greys")
    axes.set_axis_off()
    axes.set_title("An image, and its permutation")
    lost = {
        net: 100 * (mean(m[net]["test"]) - mean(m[f"{net}, permuted pixels"]["test"]))
        for net in ("dense", "conv3")
        if net in m and f"{net}, permuted pixels" in m
    }
    text = ", ".join(f"{net} loses {value:.2f}" for net, value in lost.items())
    return f"An image, and the same with its pixels permuted: {text} percentage points of accuracy."
