"""Figures: agreement with means over masks, accuracy by dropout rate, loss, decay, averaging."""

from statistics import fmean

from experiments.dropout.evidence import (
    USUAL,
    combined,
    decay_alone,
    distance_of_average,
    dropout_alone,
    gap,
    slope_of_gap,
)
from experiments.dropout.masks import AVERAGED, IMAGES, NETWORK
from experiments.dropout.measure import ALONE, BOTH, DECAYED, DROPPED, SPEED, Setting
from experiments.dropout.speed import EVERY, TARGET
from experiments.framework.curves import mean_steps
from experiments.framework.palette import COLOURS
from experiments.framework.plots import dots, lines, losses
from experiments.framework.statistics import percent

NONE, HALF = Setting(0.0).name, Setting(USUAL).name


def agreement(axes, m) -> str | None:
    """Mean over masks against evaluation, for masks of the last layer and of all layers."""
    if HALF not in m:
        return None
    forms = m[HALF]["agreement"]
    shown = {"all layers": (NETWORK, "vermillion"), "the last layer": ("inverted", "blue")}
    for row, (name, (form, colour)) in enumerate(shown.items()):
        means, evaluated = forms[form]["points"]
        axes.plot(evaluated, means, "o", color=COLOURS[colour], ms=4, alpha=0.6)
        at = {"transform": axes.transAxes, "color": COLOURS[colour]}
        axes.text(0.04, 0.82 + 0.09 * row, f"masks in {name}", **at)
    every = [v for form, _ in shown.values() for v in forms[form]["points"][1]]
    ends = (min(every), max(every))
    axes.plot(ends, ends, color=COLOURS["soft"], lw=1, ls="--", zorder=0)
    axes.grid(visible=True, axis="x")
    axes.set_xlabel("output in evaluation")
    axes.set_ylabel("mean output over masks")
    axes.set_title("Evaluation and the mean over masks")
    differences = {k: fmean(forms[form]["difference"]) for k, (form, _) in shown.items()}
    return (
        f"Outputs for ten test images, seed 0, dropout rate {USUAL:g}: the mean over random masks "
        "by the value in evaluation. On the dashed line both are equal. Root mean square "
        f"difference for {IMAGES} images, the mean over seeds, without that of the standard "
        "errors, relative to the outputs: masks in the last "
        f"layer, which is linear, {differences['the last layer']:.1f} %; in all layers "
        f"{differences['all layers']:.1f} %."
    )


def by_rate(axes, m) -> str | None:
    """Training and test accuracy by dropout rate."""
    if not all(setting.name in m for setting in ALONE):
        return None
    of = lambda what: {s.dropped: percent(m[s.name][what]) for s in ALONE}
    lines(
        axes,
        {"training": of("train"), "test": of("test")},
        "dropout rate",
        "accuracy, %",
    )
    axes.set_title("Training and test accuracy by dropout rate")
    ends = [f"{fmean(gap(m[ALONE[i].name])):.1f} at {DROPPED[i]:g}" for i in (0, -1)]
    return (
        f"Accuracy on the {m[NONE]['images']} training images and on test images by dropout rate, "
        "mean and one standard deviation over seeds. The gap between the lines is "
        f"{' and '.join(ends)}; its slope is {fmean(slope_of_gap(m)):.2f} percentage points per "
        "0.1."
    )


def learning(axes, m) -> str | None:
    """Training loss without masks by step, without dropout and with the usual rate."""
    done = {
        label: m[name][SPEED]
        for label, name in (("without dropout", NONE), ("dropout", HALF))
        if name in m
    }
    if len(done) < 2:
        return None
    steps = lambda loss: [EVERY * (i + 1) for i in range(len(loss))]
    axes.set_title(f"Training loss with dropout at {USUAL:g}")
    curves = {name: (steps(r["loss"]), r["loss"]) for name, r in done.items()}
    losses(axes, curves, TARGET, "training loss without masks, nats")
    listed = ", ".join(f"{name} {mean_steps(r)}" for name, r in done.items())
    return (
        "Mean loss over all training images without masks by training step, the mean over seeds, "
        "each at the learning rate with the fewest steps to the dashed line. Mean steps "
        f"to {TARGET:g} nats, this line: {listed}."
    )


def with_decay(axes, m) -> str | None:
    """Test accuracy of neither, of each alone, and of both."""
    if not all(s.name in m for s in (*ALONE, *DECAYED, *BOTH)):
        return None
    found = {
        "neither": m[NONE],
        "weight decay": decay_alone(m),
        "dropout": dropout_alone(m),
        "both": combined(m),
    }
    tests = {name: percent(r["test"]) for name, r in found.items()}
    dots(axes, tests, "test accuracy, %")
    axes.set_title("Dropout and weight decay")
    listed = ", ".join(f"{name} {fmean(values):.1f}" for name, values in tests.items())
    return (
        "Test accuracy without and with dropout and weight decay, each at the strengths with the "
        f"best validation accuracy, one dot per seed, with the mean: {listed} %."
    )


def averages(axes, m) -> str | None:
    """Test accuracy of the average of k masks, beside that of evaluation."""
    if HALF not in m:
        return None
    found = m[HALF]["averages"]
    curve: dict[float, list[float]] = {k: percent(found[f"{k}"]) for k in AVERAGED}
    evaluated = fmean(percent(m[HALF]["test"]))
    lines(axes, {"average": curve}, "number of masks", "test accuracy, %", at=AVERAGED)
    axes.axhline(evaluated, color=COLOURS["soft"], lw=1, ls="--", zorder=0)
    axes.text(1, evaluated, "evaluation without masks", va="bottom")
    axes.set_title(f"Averages of masks, dropout rate {USUAL:g}")
    return (
        "Test accuracy of the mean softmax output over random masks, by their number, mean and "
        f"one standard deviation over seeds: {fmean(curve[1]):.1f} % with 1 mask, "
        f"{fmean(curve[AVERAGED[-1]]):.1f} % with {AVERAGED[-1]}. Evaluation without masks, the "
        f"dashed line: {evaluated:.1f} %. The last two differ by "
        f"{fmean(distance_of_average(m[HALF])):.2f} percentage points, the mean over seeds."
    )
