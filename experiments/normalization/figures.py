"""Figures: accuracy by start and by rate, gain by dropout, size of batch, and sequences."""

from statistics import fmean

from experiments.framework.palette import COLOURS
from experiments.framework.plots import dots, lines
from experiments.framework.statistics import percent
from experiments.normalization.evidence import (
    GOOD,
    accuracy_by_start,
    gain_by_dropout,
    in_sequences,
    spread_of_starts,
)
from experiments.normalization.measure import FEW_IMAGES, STARTS
from experiments.normalization.networks import LARGE, OF_IMAGES, OF_SEQUENCES, SMALL
from experiments.normalization.panels import SHOWN_RATES
from experiments.normalization.training import HE, RATES, SPREADS


def by_spread(axes, m) -> str | None:
    """Test accuracy by initial standard deviation, each at its best rate."""
    done = {name: m[part] for name, part in STARTS.items() if part in m}
    if not done or any(len(part["runs"]) <= len(SPREADS) for part in done.values()):
        return None
    curves: dict[str, dict[float, list[float]]] = {
        name: {float(k): v for k, v in accuracy_by_start(part).items() if k != HE}
        for name, part in done.items()
    }
    across = "initial standard deviation of weights"
    lines(axes, curves, across, "test accuracy, %", at=SPREADS[::-1])
    axes.set_title("Accuracy by the initial spread of weights")
    listed = ", ".join(f"{n} {fmean(spread_of_starts(part)):.1f}" for n, part in done.items())
    return (
        "Test accuracy by the initial standard deviation of the weights, each at its best learning "
        f"rate; bands: one standard deviation over seeds. Highest − lowest: {listed} percentage "
        "points."
    )


def by_rate(axes, m) -> str | None:
    """Test accuracy by learning rate from He's weights."""
    curves: dict[str, dict[float, list[float]]] = {
        name: {r["rate"]: percent(r["test"]) for r in m[part]["runs"][HE] if r}
        for name, part in STARTS.items()
        if part in m
    }
    if len(curves) < len(STARTS) or not all(curves.values()):
        return None
    lines(axes, curves, "learning rate", "test accuracy, %", at=SHOWN_RATES)
    axes.axhline(100 * GOOD, color=COLOURS["soft"], lw=1, ls="--", zorder=0)
    axes.set_title("Accuracy by learning rate, from He's weights")
    largest = {
        name: max((rate for rate, v in curve.items() if fmean(v) >= 100 * GOOD), default=None)
        for name, curve in curves.items()
    }
    bound = lambda rate: "≥ " if rate == RATES[-1] else ""
    listed = ", ".join(f"{k} {bound(rate)}{rate or 'none'}" for k, rate in largest.items())
    return (
        "Test accuracy by learning rate of SGD from He's weights, mean and one standard deviation "
        "over seeds. Rates without a point diverge. The largest rate with a mean of at least "
        f"{100 * GOOD:g} %, the dashed line: {listed}."
    )


def dropout(axes, m) -> str | None:
    """The gain by dropout on few images, without and with batch norm."""
    if not all(part in m and len(m[part]) > 1 for part in FEW_IMAGES.values()):
        return None
    gains = {name: gain_by_dropout(m[part]) for name, part in FEW_IMAGES.items()}
    dots(axes, gains, "test accuracy gained, percentage points", "+.1f")
    axes.axvline(0, color=COLOURS["soft"], lw=1, ls="--", zorder=0)
    axes.set_title("Gain by dropout on few images")
    images = next(iter(m[FEW_IMAGES[name]]["0"]["images"] for name in FEW_IMAGES))
    listed = ", ".join(f"{name} {fmean(values):+.1f}" for name, values in gains.items())
    return (
        f"Test accuracy gained by dropout with {images} training images, one dot per seed, with "
        f"the mean: {listed} percentage points."
    )


def by_batch(axes, m) -> str | None:
    """Test accuracy of the CNN with both sizes of batch, by norm."""
    done = {
        norm: {float(b): percent(m[part][f"{b}"]["test"]) for b in (LARGE, SMALL)}
        for norm in OF_IMAGES
        if (part := f"CNN, {norm}") in m and len(m[part]) > 1
    }
    if not done:
        return None
    lines(axes, done, "images of a batch", "test accuracy, %", at=(SMALL, LARGE))
    axes.set_title("CNN by size of batch")
    listed = ", ".join(
        f"{norm} {fmean(by[LARGE]):.1f} and {fmean(by[SMALL]):.1f}" for norm, by in done.items()
    )
    return (
        f"Test accuracy of the CNN with batches of {LARGE} and of {SMALL} images, equally many "
        f"epochs, mean and one standard deviation over seeds: {listed} %."
    )


def sequences(axes, m, kind: str) -> str | None:
    """Test accuracy of the LSTM or the transformer with small batches, by norm."""
    done = [norm for norm in OF_SEQUENCES if f"{SMALL}" in m.get(f"{kind}, {norm}", {})]
    if len(done) < len(OF_SEQUENCES):
        return None
    found = {norm: in_sequences(m, kind, norm) for norm in done}
    dots(axes, found, "test accuracy, %")
    axes.set_title(f"{kind.capitalize() if kind.islower() else kind} with batches of {SMALL}")
    each = ", ".join(f"{norm} {fmean(values):.1f}" for norm, values in found.items())
    return (
        f"Test accuracy of the {kind} with batches of {SMALL}, one dot per seed, with the mean: "
        f"{each} %."
    )
