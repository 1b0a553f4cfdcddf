"""Three figures: conv3 − dense in each control, training accuracy by step, and permuted pixels."""

from statistics import mean

import numpy as np

from experiments.controls.measure import WINDOW
from experiments.controls.output import Found
from experiments.framework.curves import mean_steps
from experiments.framework.figures import COLOURS, label_lines
from experiments.framework.plots import colour_of, images
from experiments.framework.statistics import paired, points

CONTROLS = {
    "as in fc_vs_conv": ("conv3", "dense"),
    "a quarter of the rate": ("conv3, rate / 4", "dense, rate / 4"),
    "tanh": ("conv3, tanh", "dense, tanh"),
    "equal multiply-adds": ("conv3", "dense-wide"),
    "no shared weights": ("local3", "dense"),
    "permuted pixels": ("conv3, permuted pixels", "dense, permuted pixels"),
}
NETWORKS = ("dense", "local3", "conv3")


def by_control(axes, m: Found) -> str | None:
    """The gain over dense with its 95 % interval, in each control."""
    done = {k: pair for k, pair in CONTROLS.items() if all(name in m for name in pair)}
    if not done:
        return None
    gains, errors = {}, []
    for control, (a, b) in done.items():
        values = points(m[a]["test"], m[b]["test"])
        gains[control] = mean(values)
        found = paired(values, [0.0] * len(values), 0.0) if len(values) > 1 else None
        errors.append(found.high - gains[control] if found else 0.0)
    rows = range(len(done))
    axes.errorbar(list(gains.values()), rows, xerr=errors, fmt="o", color=COLOURS["blue"], lw=2)
    for row, gain in zip(rows, gains.values(), strict=True):
        place = {"va": "center", "transform": axes.get_yaxis_transform()}
        axes.text(1.02, row, f"{gain:+.2f}".replace("-", "−"), **place)
    axes.axvline(0, color=COLOURS["soft"], lw=1, ls="--", zorder=0)
    axes.set_yticks(rows, list(done))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.set_xlabel("conv − dense, percentage points")
    axes.set_title("Accuracy gained by convolution")
    least, most = (f(gains, key=lambda k: gains[k]) for f in (min, max))
    return (
        f"Gain of the network with local windows over the dense one in each control, with 95 % "
        f"intervals: from {gains[least]:+.2f} percentage points ({least}) to {gains[most]:+.2f} "
        f"({most})."
    )


def by_step(axes, m: Found) -> str | None:
    done = {name: m[name] for name in NETWORKS if name in m}
    if not done:
        return None
    from matplotlib.ticker import LogLocator

    for name, r in done.items():
        curve = 100 * np.array(r["curve"])
        axes.plot(np.arange(len(curve)) + WINDOW, curve, color=colour_of(name), label=name)
    target = 100 * next(iter(done.values()))["target"]
    axes.axhline(target, color=COLOURS["soft"], lw=1, ls="--")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_minor_formatter("")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.set_xlabel("training step")
    axes.set_ylabel("training accuracy, %")
    axes.set_title("Training accuracy by step")
    label_lines(axes)
    steps = ", ".join(f"{name} after {mean_steps(r)}" for name, r in done.items())
    return (
        f"Training accuracy by step, the mean over seeds. It reaches {target:g} %, the dashed "
        f"line: {steps} steps."
    )


def pixels(axes, m: Found) -> str | None:
    pair = ("dense", "dense, permuted pixels")
    if not all(name in m for name in pair):
        return None
    found = [np.array(m[name]["image"]) for name in pair]
    images(axes, [[("image", found[0]), ("its permutation", found[1])]])
    axes.set_title("An image and its permutation")
    change = {
        net: 100 * (mean(m[f"{net}, permuted pixels"]["test"]) - mean(m[net]["test"]))
        for net in ("dense", "conv3")
        if net in m and f"{net}, permuted pixels" in m
    }
    text = " and ".join(f"{value:+.2f} with {net}" for net, value in change.items())
    return (
        "An image, and the same with its pixels permuted, which changes the test accuracy by "
        f"{text}, in percentage points."
    )
