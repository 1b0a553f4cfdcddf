"""Figures: the gap by number of images, gains of remedies, robustness, removal, reliability."""

from statistics import fmean

from experiments.framework.figures import apart, label_lines
from experiments.framework.palette import COLOURS
from experiments.framework.plots import dots, lines
from experiments.framework.statistics import percent, points
from experiments.overfitting.evaluation import REMOVED
from experiments.overfitting.factors import FACTORS, FEW
from experiments.overfitting.measure import CONV, DENSE
from experiments.overfitting.measured import excess, gap, lost

LEAST = 10  # predictions in a bin that is drawn
OTHERS = [name for name in FACTORS if name != "baseline"]


def by_images(axes, m) -> str | None:
    """The gap between training and test accuracy by number of training images."""
    found: dict[str, dict[float, list[float]]] = {
        kind: {n: gap(each) for n, each in zip(r["images"], r["accuracies"], strict=True)}
        for kind, name in (("dense", DENSE), ("conv", CONV))
        if (r := m.get(name))
    }
    if not found:
        return None
    images = sorted(next(iter(found.values())))
    spaced = [n for n in images if n == images[-1] or 2 * n <= images[-1]]
    axes.set_title("Overfitting with few training images")
    up = "training − test accuracy,\npercentage points"
    lines(axes, found, "training images", up, at=spaced)
    each = (
        f"{kind} {fmean(by[images[0]]):.1f} with {images[0]:,} images and "
        f"{fmean(by[images[-1]]):.1f} with {images[-1]:,}"
        for kind, by in found.items()
    )
    return (
        "Training minus test accuracy by number of training images, in percentage points: "
        f"{', '.join(each)}. Bands: one standard deviation over seeds."
    )


def by_factor(axes, m) -> str | None:
    """The change of test accuracy by each remedy, one dot per seed."""
    done = [name for name in OTHERS if name in m]
    if "baseline" not in m or not done:
        return None
    base = percent(m["baseline"]["test"])
    gains = {name: points(m[name]["test"], m["baseline"]["test"]) for name in done}
    dots(axes, gains, "change, percentage points", "+.1f", colour="blue")
    axes.axvline(0, color=COLOURS["soft"], lw=1, ls="--", zorder=0)
    axes.set_title("Test accuracy gained by each remedy")
    listed = ", ".join(f"{name} {fmean(values):+.1f}" for name, values in gains.items())
    return (
        f"Change of the test accuracy of the dense network trained on {FEW} images, "
        f"{fmean(base):.1f} %, by each remedy, one dot per seed, with the mean: {listed} "
        "percentage points."
    )


def robustness(axes, m) -> str | None:
    """Test accuracy on clean, noisy and shifted images by remedy."""
    done = [name for name in FACTORS if name in m]
    if not done:
        return None
    kinds = {"clean": ("test", "blue"), "noisy": ("noisy", "vermillion")}
    kinds["shifted"] = ("shifted", "green")
    values = {
        label: [fmean(percent(m[name][kind])) for name in done]
        for label, (kind, _) in kinds.items()
    }
    for label, each in values.items():
        colour = COLOURS[kinds[label][1]]
        axes.plot(each, range(len(done)), "o", color=colour, ms=7, label=label)
    first = sorted((each[0] / 100, label) for label, each in values.items())
    for (_, label), place in zip(first, apart([at for at, _ in first], 0.24), strict=True):
        axes.text(100 * place, -0.6, label, ha="center", va="center")
    axes.set_xlim(0, 103)
    axes.set_ylim(len(done) - 0.5, -1)
    axes.set_yticks(range(len(done)), done)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.set_xlabel("test accuracy, %")
    axes.set_title("Test accuracy on changed images")
    best = {label: max(zip(each, done, strict=True)) for label, each in values.items()}
    captions = (f"{label} {value:.1f} % with {name}" for label, (value, name) in best.items())
    return (
        "Accuracy on clean, noisy and shifted test images, the mean over seeds. The best of each: "
        f"{', '.join(captions)}."
    )


def removed(axes, m) -> str | None:
    """Test accuracy by share of hidden units removed after training."""
    names = {"baseline": "without dropout", "dropout": "with dropout"}
    done = {label: m[name] for name, label in names.items() if name in m}
    if not done:
        return None
    shares = percent(list(REMOVED))
    found = {
        label: dict(zip(shares, map(percent, r["removed"]), strict=True))
        for label, r in done.items()
    }
    axes.set_title("Test accuracy after units are removed")
    lines(axes, found, "hidden units removed, %", "test accuracy, %")
    listed = ", ".join(f"{label} {fmean(lost(r)):.1f}" for label, r in done.items())
    return (
        "Test accuracy after random hidden units are removed, the mean of five draws. Lost at "
        f"{shares[-1]:.0f} % of the units: {listed} percentage points. Bands: one standard "
        "deviation over seeds."
    )


def reliability(axes, m) -> str | None:
    """Accuracy by confidence: on the diagonal, a network is calibrated."""
    found = {f"{FEW} images": m.get("baseline"), "all images": m.get(DENSE)}
    done = {name: r["calibration"] for name, r in found.items() if r}
    if not done:
        return None
    axes.plot((0, 100), (0, 100), color=COLOURS["soft"], lw=1, ls="--", label="calibrated")
    for (name, r), colour in zip(done.items(), ("vermillion", "blue"), strict=False):
        shown = [each for each in r["bins"] if each["n"] >= LEAST]
        x, y = ([100 * each[what] for each in shown] for what in ("confidence", "accuracy"))
        axes.plot(x, y, "o-", color=COLOURS[colour], lw=2, ms=5, label=name)
    axes.set_xlabel("confidence, %")
    axes.set_ylabel("accuracy, %")
    axes.set_title("Accuracy by confidence")
    label_lines(axes)
    errors = {k: (fmean(r["error"]), fmean(excess(r))) for k, r in done.items()}
    listed = ", ".join(f"{k} {a:.1f}, of it beyond chance {b:.1f}" for k, (a, b) in errors.items())
    return (
        f"Accuracy of test predictions by confidence, in bins with at least {LEAST} predictions of "
        f"all seeds. Expected calibration error in percentage points: {listed}."
    )
