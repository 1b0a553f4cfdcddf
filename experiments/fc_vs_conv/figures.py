"""Figures: the quantity of each claim, and accuracy by number of training images."""

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from experiments.fc_vs_conv.measured import Measured, Results
from experiments.framework.figures import COLOURS, label_lines, spread

NETWORKS = {  # red for dense, then blue that stands out more with each convolutional stage
    "dense": COLOURS["vermillion"],
    "conv1": COLOURS["sky"],
    "conv2": COLOURS["blue"],
    "conv3": COLOURS["navy"],
    "conv3-gap": COLOURS["green"],
}


def by_network(axes: Any, found: Results) -> str | None:
    done = _done(found)
    if not done:
        return None
    values = {name: [100 * v for v in m.test] for name, m in done.items()}
    low, high = min(map(min, values.values())), max(map(max, values.values()))
    space = (high - low) / 6 or 1
    axes.set_ylim(low - space, high + 2 * space)
    for i, (name, each) in enumerate(values.items()):
        at = [i + offset for offset in spread(each, high - low + 3 * space)]
        axes.plot(at, each, "o", color=NETWORKS[name], ms=6, alpha=0.6, label="each")
        axes.plot(i, mean(each), "_", color=NETWORKS[name], ms=32, mew=2.5, label="mean")
        axes.text(i, high + 1.4 * space, f"{mean(each):.2f}", ha="center", va="center")
    axes.set_xticks(range(len(done)), list(done))
    axes.set_xlim(-0.6, len(done) - 0.4)
    axes.set_ylabel("test accuracy, %")
    axes.set_title("Test accuracy at equal size, with the mean")
    return (
        "Test accuracy of each network, one dot per seed, with a line at the mean, which is above "
        f"each column: {_each(values)}. "
        f"{_difference(values, 'conv3', 'dense')}"
    )


def by_shift(axes: Any, found: Results) -> str | None:
    done = {name: m for name, m in _done(found).items() if len(m.shifted) > 1}
    if not done:
        return None
    lost = {
        name: {d: _percent(m.test, shifted) for d, shifted in m.shifted.items()}
        for name, m in done.items()
    }
    for name, by in lost.items():
        _band(axes, by, name)
    shifts = sorted(next(iter(done.values())).shifted)
    axes.set_xticks(shifts)
    axes.set_xlabel("shift of the test images, pixels")
    axes.set_ylabel("accuracy lost, percentage points")
    axes.set_title("Test accuracy lost when images are shifted")
    label_lines(axes)
    last = {name: by[shifts[-1]] for name, by in lost.items()}
    pixels = "1 pixel" if shifts[-1] == 1 else f"{shifts[-1]} pixels"
    return (
        f"Test accuracy lost when test images are shifted, the mean of four directions; no network "
        f"was trained on shifted images. Percentage points lost at {pixels}: {_each(last)}. "
        "Bands: one standard deviation over seeds."
    )


def by_images(axes: Any, found: Results) -> str | None:
    gaps = {
        name: {size: _percent(m.few_train[size], m.few_test[size]) for size in m.few_test}
        | {found.images: _percent(m.train, m.test)}
        for name, m in _done(found).items()
        if m.few_test
    }
    if not gaps:
        return None
    _draw_by_size(axes, gaps)
    axes.set_ylabel("training − test accuracy,\npercentage points")
    axes.set_title("Overfitting with few training images")
    label_lines(axes)
    least = min(next(iter(gaps.values())))
    return (
        f"Training minus test accuracy against the number of training images. Percentage points "
        f"with {least:,} images: {_each({name: by[least] for name, by in gaps.items()})}; "
        f"with all {found.images:,}: "
        f"{_each({name: by[found.images] for name, by in gaps.items()})}. "
        "Bands: one standard deviation over seeds."
    )


def accuracy_by_images(axes: Any, found: Results) -> str | None:
    tested = {
        name: {size: _percent(v) for size, v in {**m.few_test, found.images: m.test}.items()}
        for name, m in _done(found).items()
        if m.few_test
    }
    if not tested:
        return None
    _draw_by_size(axes, tested)
    axes.set_ylabel("test accuracy, %")
    axes.set_title("Test accuracy by number of training images")
    label_lines(axes)
    least = min(next(iter(tested.values())))
    return (
        f"Test accuracy against the number of training images. With {least:,} images: "
        f"{_each({name: by[least] for name, by in tested.items()})} %. "
        "Bands: one standard deviation over seeds."
    )


def _percent(a: Sequence[float], b: Sequence[float] | None = None) -> list[float]:
    """100 a, or 100 (a - b), by seed."""
    return [100 * (x - y) for x, y in zip(a, b or [0] * len(a), strict=True)]


def _draw_by_size(axes, values):
    for name, by in values.items():
        _band(axes, by, name)
    axes.set_xscale("log")
    sizes = sorted(next(iter(values.values())))
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("training images")


def _band(axes, by: Mapping[int, Sequence[float]], name: str) -> None:
    at = sorted(by)
    middle = [mean(by[a]) for a in at]
    deviation = [stdev(by[a]) if len(by[a]) > 1 else 0 for a in at]
    axes.plot(at, middle, "o-", color=NETWORKS[name], label=name, lw=2, ms=5)
    low, high = ([m + sign * s for m, s in zip(middle, deviation, strict=True)] for sign in (-1, 1))
    axes.fill_between(at, low, high, color=NETWORKS[name], alpha=0.15, lw=0)


def _each(values: Mapping[str, Sequence[float]]) -> str:
    """The mean of each network: "dense 97.72, conv1 98.31"."""
    return ", ".join(f"{name} {mean(each):.2f}" for name, each in values.items())


def _difference(values, a, b):
    if not {a, b} <= values.keys():
        return ""
    return f"{a} − {b}: {mean(values[a]) - mean(values[b]):+.2f} percentage points."


def _done(found: Results) -> dict[str, Measured]:
    return {name: m for name, m in found.networks.items() if m.test}
