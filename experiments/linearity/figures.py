"""Figures: XOR in the plane, error by units, regions by depth, and accuracy by network."""

from statistics import mean
from typing import Any

import numpy as np

from experiments.linearity.measure import LINEAR, REGRESSION, RELU
from experiments.linearity.xor import POINTS, XOR, by_hand

RED, BLUE, ORANGE, GREY = "#d1495b", "#17508f", "#d1741d", "#8a929c"


def xor_plane(axes, m: dict[str, Any]) -> str | None:
    if "XOR" not in m:
        return None
    grid = np.linspace(-0.4, 1.4, 181, dtype=np.float32)
    x = np.stack(np.meshgrid(grid, grid), -1).reshape(-1, 2)
    y = np.asarray(by_hand(x)).reshape(len(grid), -1)
    axes.contourf(grid, grid, y, [-9, 0.5, 9], colors=["#f7e3e6", "#dde8f5"])
    for point, bit in zip(POINTS, XOR, strict=True):
        axes.plot(*point, "o", ms=26, color=BLUE if bit else RED)
        axes.text(*point, f"{bit}", color="white", ha="center", va="center")
    axes.set_aspect("equal")
    axes.grid(visible=False)
    axes.set_xticks([0, 1])
    axes.set_yticks([0, 1])
    axes.set_xlabel("first bit")
    axes.set_ylabel("second bit")
    perceptron = m["XOR"]["trained"][0]["correct"]
    return (
        "XOR: no line separates the two 1 from the two 0, and the linear program has no solution. "
        "The blue band is where relu(x1 + x2) − 2 relu(x1 + x2 − 1), two units, exceeds ½: it has "
        f"{m['XOR']['by hand']} of 4 points right. Of {len(perceptron)} trained perceptrons, "
        f"{perceptron.count(4)} have 4 of 4 right."
    )


def by_curve(axes, m: dict[str, Any]) -> str | None:
    if "curves" not in m:
        return None
    for kind, colour, label, beside, offset in (
        ("trained", GREY, "trained", 0.95, (0, 22)),
        ("constructed", BLUE, "interpolation", 1.05, (-14, -16)),
    ):
        found = m["curves"][kind]
        for r in found:
            axes.plot([beside * r["units"]] * len(r["errors"]), r["errors"], "o", color=colour)
        units, middle = _means(found)
        axes.plot([beside * n for n in units], middle, "-", color=colour, lw=2)
        place = {"textcoords": "offset points", "xytext": offset, "ha": "right"}
        axes.annotate(label, (units[-1], middle[-1]), color=colour, **place)
    units, middle = _means(m["curves"]["constructed"])
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.margins(x=0.2)
    axes.set_xticks(units, [f"{n}" for n in units])
    axes.set_xlabel("relu units")
    axes.set_ylabel("largest error")
    return (
        "Largest error of a network with one hidden layer on curves of one variable, one dot per "
        f"curve, lines through the means. Interpolation: {middle[0]:.2g} with {units[0]} units, "
        f"{middle[-1]:.2g} with {units[-1]}."
    )


def _means(found):
    return [r["units"] for r in found], [mean(r["errors"]) for r in found]


def by_regions(axes, m: dict[str, Any]) -> str | None:
    found = [m[name] for name in RELU if name in m]
    if not found:
        return None
    for kind, colour, shift in (("drawn", GREY, -0.12), ("trained", BLUE, 0.12)):
        for i, r in enumerate(found):
            axes.plot(*_spread(i + shift, r["regions"][kind]), "o", color=colour, ms=6)
        label = {"drawn": "before", "trained": "after training"}[kind]
        place = {"textcoords": "offset points", "xytext": (0, 9), "ha": "center"}
        axes.annotate(label, (shift, max(found[0]["regions"][kind])), color=colour, **place)
    names = [f"{r['network']}\n{r['units']} units" for r in found]
    axes.set_xticks(range(len(found)), names)
    axes.margins(x=0.2, y=0.2)
    axes.set_ylabel("regions between two images")
    count = lambda r: mean(r["regions"]["trained"])
    each = ", ".join(
        f"{count(r):.0f} at {r['network']}, {count(r) / r['units']:.2f} per unit" for r in found
    )
    return (
        "Linear regions on the line between two test images, one dot per seed, for networks with "
        f"about {found[0]['parameters']:,} parameters. After training: "
        f"{each}."
    )


def by_network(axes, m: dict[str, Any]) -> str | None:
    found = [r for r in m.values() if "test" in r]
    if not found:
        return None
    for i, r in enumerate(found):
        colour = {LINEAR: ORANGE, REGRESSION: ORANGE}.get(r["network"], BLUE)
        accuracies = [100 * a for a in r["test"]]
        axes.plot(*_spread(i, accuracies), "o", color=colour, ms=6)
        axes.plot([i - 0.2, i + 0.2], [mean(accuracies)] * 2, color=colour, lw=2)
    axes.set_xticks(range(len(found)), [r["network"].replace(" ", "\n", 1) for r in found])
    axes.set_ylabel("test accuracy, %")
    each = ", ".join(f"{r['network']} {100 * mean(r['test']):.1f} %" for r in found)
    return f"Test accuracy, one dot per seed, with the mean as a line: {each}."


def _spread(at, values):
    """Places beside `at`, so that equal values do not cover each other."""
    n = len(values)
    return [at + 0.04 * (i - (n - 1) / 2) for i in range(n)], values
