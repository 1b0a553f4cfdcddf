"""Figures: the functions, loss by step, dead units by rate, and time relative to relu."""

from statistics import fmean, median

from experiments.activations.learning import HIGH, TARGET, dead_at
from experiments.activations.measure import SLOPES
from experiments.activations.networks import KINDS
from experiments.activations.slopes import FUNCTIONS
from experiments.activations.timing import SIZES
from experiments.framework.trained import STEPS

BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#8a929c"
COLOURS = {"relu": BLUE, "sigmoid": ORANGE, "tanh": GREEN}


def functions(axes, m) -> str | None:
    """Each function and its slope."""
    if SLOPES not in m:
        return None
    curves, found = m[SLOPES]["curves"], m[SLOPES]
    axes.axis("off")
    panels = axes.figure.subplots(2, 4, sharex=True, sharey=True).ravel()
    for panel, name in zip(panels, FUNCTIONS, strict=False):
        panel.plot(curves["x"], curves[name]["y"], color=BLUE, lw=2)
        panel.plot(curves["x"], curves[name]["slope"], color=ORANGE, lw=2, ls="--")
        panel.set_title(name)
        panel.set_xticks((-4, 0, 4))
        panel.set_yticks((-1, 0, 1))
        panel.set_ylim(-1.3, 2.2)
    panels[-1].axis("off")
    panels[-1].text(0, 1.4, "y", color=BLUE, ha="center", va="center")
    panels[-1].text(0, 0.4, "slope", color=ORANGE, ha="center", va="center")
    panels[-1].text(0, -0.6, "against x", ha="center", va="center")
    return (
        "Seven activations (solid) and their slopes (dashed), by x from -4 to 4. The largest slope "
        f"of sigmoid is {found['sigmoid']['largest']:g}, that of tanh {found['tanh']['largest']:g}."
    )


def learning(axes, m) -> str | None:
    """Training loss by step, each activation at its best rate."""
    done = {name: m[name] for name in FUNCTIONS if name in m}
    if not done:
        return None
    for name in sorted(done, key=lambda name: name in COLOURS):
        loss, colour = done[name]["loss"], COLOURS.get(name, GREY)
        steps = [STEPS * (i + 0.5) for i in range(len(loss))]
        axes.plot(steps, loss, color=colour, lw=2.4 if name in COLOURS else 1)
    steps = {name: fmean(r["steps"]) for name, r in done.items()}
    for name in COLOURS.keys() & done.keys():
        axes.plot(steps[name], TARGET, "o", color=COLOURS[name], ms=8)
    for i, name in enumerate(sorted(COLOURS.keys() & done.keys(), key=steps.__getitem__)):
        text = f"{name}: {steps[name]:,.0f} steps"
        place = (0.98, 0.97 - 0.09 * i)
        axes.text(*place, text, color=COLOURS[name], ha="right", va="top", transform=axes.transAxes)
    axes.axhline(TARGET, color=GREY, lw=1, zorder=0)
    axes.set_yscale("log")
    axes.set_xlabel("training step")
    axes.set_ylabel("training loss, nats")
    listed = ", ".join(f"{name} {value:,.0f}" for name, value in steps.items())
    return (
        "Training loss by step, the mean over seeds, each activation at its best learning rate. "
        f"The grey curves are the other activations. Mean steps to {TARGET:g} nats (dots on the "
        f"line): {listed}."
    )


def dead(axes, m) -> str | None:
    """Dead units by learning rate."""
    done = {k: m[k] for k in KINDS if k in m and k not in ("sigmoid", "tanh")}
    if not any(len(r["rates"]) > 1 for r in done.values()):
        return None
    ends: dict[float, list[str]] = {}
    colours = dict(zip(done, (BLUE, ORANGE, GREEN, "#cc79a7", GREY, BLUE, ORANGE), strict=False))
    for name, r in done.items():
        shares = [fmean(dead_at(r, rate)) for rate in r["rates"]]
        style = "--" if KINDS[name].convolutional else "-"
        axes.plot(r["rates"], shares, "o", ls=style, color=colours[name], lw=2, ms=5)
        ends.setdefault(round(shares[-1] / 4) * 4, []).append(name)
    for height, names in ends.items():
        colour = colours[names[0]] if len(names) == 1 else "0.2"
        axes.text(1.15 * HIGH, height, "\n".join(names), color=colour, va="center")
    axes.set_xscale("log")
    axes.set_xlim(right=8 * HIGH)
    axes.set_xlabel("learning rate")
    axes.set_ylim(bottom=-7)
    axes.set_ylabel("dead units, %")
    listed = ", ".join(f"{name} {fmean(dead_at(r, HIGH)):.1f} %" for name, r in done.items())
    return (
        "Dead units after training, the mean over seeds, by the learning rate of the first step; "
        f"dashed: channels of the convolutional network. At {HIGH:g}: {listed}."
    )


def cost(axes, m) -> str | None:
    """Time of each function relative to relu."""
    if not all(f"time {where}" in m for where in SIZES):
        return None
    captions = []
    for where, face, offset in zip(SIZES, (BLUE, "white"), (-0.13, 0.13), strict=True):
        times = {name: median(values) for name, values in m[f"time {where}"]["seconds"].items()}
        ratio = {name: value / times["relu"] for name, value in times.items()}
        places = [i + offset for i in range(len(ratio))]
        axes.plot(list(ratio.values()), places, "o", color=BLUE, mfc=face, ms=8)
        left = where == "in the cache"
        place = (list(ratio.values())[-1] * (0.85 if left else 1.15), places[-1])
        axes.text(*place, where, ha="right" if left else "left", va="center", color=BLUE)
        captions.append(f"sigmoid takes {ratio['sigmoid']:.2f} times the time of relu {where}")
    axes.axvline(1, color=GREY, lw=1, zorder=0)
    axes.set_yticks(range(len(FUNCTIONS)), list(FUNCTIONS))
    axes.invert_yaxis()
    axes.grid(axis="x")
    axes.set_xscale("log", base=2)
    axes.set_xlim(right=6 * axes.get_xlim()[1])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("time relative to relu")
    return (
        "Time of the forward and backward pass relative to relu, on arrays that fit the cache "
        f"(filled) and that do not (open): {', and '.join(captions)}."
    )
