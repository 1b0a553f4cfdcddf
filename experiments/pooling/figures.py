"""Figures: pooling of a 4×4 image, Lp norms by p, and accuracy lost under a shift."""

from statistics import fmean

from experiments.framework.palette import COLOURS
from experiments.framework.plots import cells, dots, drawing
from experiments.framework.statistics import points
from experiments.pooling.measure import NETWORKS, NORMS
from experiments.pooling.norms import EXAMPLE, P

WINDOWS = ("blue", "vermillion", "green", "gold")  # colours of the four windows


def example(axes, m) -> str | None:
    """The textbook's picture: four windows of an image, and one number of each."""
    if NORMS not in m:
        return None
    cells(axes, EXAMPLE, 0, 0, lambda row, column: WINDOWS[2 * (row // 2) + column // 2])
    axes.text(2, -0.2, "image", ha="center")
    for i, (name, values) in enumerate(m[NORMS]["example"].items()):
        left = 4.6 + 2.4 * i
        rounded = [[f"{v:.2g}" for v in row] for row in values]
        cells(axes, rounded, left, 1, lambda row, column: WINDOWS[2 * row + column])
        axes.text(left + 1, 0.8, name, ha="center")
    drawing(axes, 11.4, 4, above=1)
    axes.set_title("Pooling of 2×2 windows")
    first = ", ".join(f"{name} {v[0][0]:.3g}" for name, v in m[NORMS]["example"].items())
    return (
        "A 4×4 image with its four windows of 2×2 in four colours, and one number of each window "
        f"by max pooling, mean pooling and the mean form of L2 pooling. First window: {first}."
    )


def by_p(axes, m) -> str | None:
    if NORMS not in m:
        return None
    p, curve = P[:-1], m[NORMS]["curve"]
    window = [abs(v) for row in EXAMPLE[:2] for v in row[:2]]
    levels = {"sum": sum(window), "maximum": max(window), "mean": fmean(window)}
    for (name, values), colour in zip(curve.items(), ("blue", "vermillion"), strict=True):
        axes.plot(p, values, "o-", color=COLOURS[colour], lw=2, ms=5, label=name)
        axes.annotate(name, (p[2], values[2]), (10, 0), textcoords="offset points", va="center")
    for name, level in levels.items():
        axes.axhline(level, color=COLOURS["soft"], lw=1, ls="--", zorder=0)
        axes.text(1.02, level, name, va="center", transform=axes.get_yaxis_transform())
    axes.set_xscale("log")
    axes.set_xticks([1, 10, 100], ["1", "10", "100"])
    axes.set_xlabel("exponent p")
    axes.set_ylabel("Lp norm of the window")
    axes.set_title("From mean to maximum: Lp pooling of a window")
    mean, total = curve.values()
    return (
        f"Lp pooling of the window {', '.join(map(str, window))} by p, from 1 to 100. The mean "
        f"form rises from the mean, {mean[0]:.2g}, to {mean[-1]:.3g}; the sum form falls from the "
        f"sum, {total[0]:.2g}, to {total[-1]:.3g}. Both approach the maximum, {max(window)}."
    )


def by_shift(axes, m) -> str | None:
    found = {k: points(m[k]["test"], m[k]["shifted"]) for k in NETWORKS if k in m}
    if not found:
        return None
    dots(axes, found, "accuracy lost, percentage points")
    axes.set_title("Test accuracy lost by a 1-pixel shift")
    means = ", ".join(f"{name} {fmean(values):.1f}" for name, values in found.items())
    return (
        "Test accuracy lost when test images are shifted by 1 pixel, one dot per seed, with the "
        f"mean: {means} percentage points. No network was trained on shifted images."
    )
