"""Figures: the functions, loss by step, dead units by rate, and time relative to relu."""

from statistics import fmean, median

from experiments.activations.learning import HIGH, TARGET, dead_at
from experiments.activations.measure import SLOPES
from experiments.activations.networks import KINDS
from experiments.activations.slopes import FUNCTIONS
from experiments.activations.timing import SIZES
from experiments.framework.curves import mean_steps
from experiments.framework.figures import label_lines
from experiments.framework.palette import COLOURS
from experiments.framework.plots import colour_of, losses
from experiments.framework.trained import STEPS


def functions(axes, m) -> str | None:
    """Each function and its slope."""
    if SLOPES not in m:
        return None
    curves, found = m[SLOPES]["curves"], m[SLOPES]
    axes.axis("off")
    axes.set_title("Activations and their slopes")
    styles = {"y": ("blue", "-"), "slope": ("vermillion", "--")}
    styles = {what: {"color": COLOURS[colour], "ls": ls} for what, (colour, ls) in styles.items()}
    for i, name in enumerate(FUNCTIONS):
        panel = axes.inset_axes((0.06 + 0.245 * (i % 4), 0.56 - 0.5 * (i // 4), 0.2, 0.36))
        for what, style in styles.items():
            panel.plot(curves["x"], curves[name][what], lw=2, **style)
        panel.set_title(name)
        panel.set_xticks((-4, 0, 4))
        panel.set_yticks((-1, 0, 1))
        panel.set_ylim(-1.3, 2.2)
        panel.tick_params(labelleft=i % 4 == 0, labelbottom=i > 2)
    for height, (what, style) in zip((0.32, 0.2), styles.items(), strict=True):
        axes.plot((0.8, 0.87), (height, height), lw=2, transform=axes.transAxes, **style)
        axes.text(0.89, height, what, va="center_baseline", transform=axes.transAxes)
    return (
        "Seven activations (solid) and their slopes (dashed), for x from −4 to 4. The largest "
        f"slope of sigmoid is {found['sigmoid']['largest']:g}, that of tanh "
        f"{found['tanh']['largest']:g}."
    )


def learning(axes, m) -> str | None:
    """Training loss by step, each activation at its best rate."""
    done = {name: m[name] for name in FUNCTIONS if name in m}
    if not done:
        return None
    steps = lambda loss: [STEPS * (i + 0.5) for i in range(len(loss))]
    axes.set_title("Training loss by activation")
    losses(axes, {name: (steps(r["loss"]), r["loss"]) for name, r in done.items()}, TARGET)
    listed = ", ".join(f"{name} {mean_steps(r)}" for name, r in done.items())
    return (
        "Training loss by step, the mean over seeds, each activation at its best learning rate. "
        f"Mean steps to {TARGET:g} nats, the dashed line: {listed}."
    )


def dead(axes, m) -> str | None:
    """Dead units by learning rate."""
    done = {k: m[k] for k in KINDS if k in m and k not in ("sigmoid", "tanh")}
    if not any(len(r["rates"]) > 1 for r in done.values()):
        return None
    for name, r in done.items():
        shares = [fmean(dead_at(r, rate)) for rate in r["rates"]]
        style = {"ls": "--" if KINDS[name].convolutional else "-", "lw": 2, "ms": 5}
        axes.plot(r["rates"], shares, "o", color=colour_of(name), label=name, **style)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("learning rate")
    axes.set_ylim(bottom=-7)
    axes.set_ylabel("dead units, %")
    axes.set_title("Dead units by learning rate")
    label_lines(axes)
    listed = ", ".join(f"{name} {fmean(dead_at(r, HIGH)):.1f}" for name, r in done.items())
    return (
        "Dead units after training, the mean over seeds, by the learning rate of the first step; "
        f"dashed: channels of the convolutional network. At {HIGH:g}: {listed} %."
    )


def cost(axes, m) -> str | None:
    """Time of each function relative to relu."""
    if not all(f"time {where}" in m for where in SIZES):
        return None
    captions = []
    for where, colour, offset in zip(SIZES, ("blue", "vermillion"), (-0.13, 0.13), strict=True):
        times = {name: median(values) for name, values in m[f"time {where}"]["seconds"].items()}
        ratios = {name: value / times["relu"] for name, value in times.items()}
        places = [i + offset for i in range(len(ratios))]
        axes.plot(list(ratios.values()), places, "o", color=COLOURS[colour], ms=7, label=where)
        captions.append(f"{ratios['sigmoid']:.2f} times the time of relu {where}")
    axes.axvline(1, color=COLOURS["soft"], lw=1, ls="--", zorder=0)
    axes.set_yticks(range(len(FUNCTIONS)), list(FUNCTIONS))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("time relative to relu")
    axes.set_title("Time of the forward and backward pass")
    label_lines(axes)
    return (
        "Time of the forward and backward pass relative to relu, on arrays that fit the cache and "
        f"on larger ones. Sigmoid takes {' and '.join(captions)}."
    )
