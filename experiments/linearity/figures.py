"""Figures: XOR in the plane, error by units, regions by depth, and accuracy by network."""

from statistics import mean
from typing import Any

import numpy as np

from experiments.framework.palette import COLOURS
from experiments.framework.plots import dots, lines
from experiments.framework.statistics import percent
from experiments.linearity.measure import RELU
from experiments.linearity.xor import POINTS, XOR, by_hand


def xor_plane(axes, m: dict[str, Any]) -> str | None:
    if "XOR" not in m:
        return None
    grid = np.linspace(-0.4, 1.4, 181, dtype=np.float32)
    x = np.stack(np.meshgrid(grid, grid), -1).reshape(-1, 2)
    y = np.asarray(by_hand(x)).reshape(len(grid), -1)
    colours = [COLOURS["vermillion"], COLOURS["blue"]]  # of 0 and 1
    axes.contourf(grid, grid, y, [-9, 0.5, 9], colors=colours, alpha=0.15)
    for point, bit in zip(POINTS, XOR, strict=True):
        axes.plot(*point, "o", ms=24, color=COLOURS["paper"], mec=colours[bit], mew=2.5)
        axes.text(*point, f"{bit}", ha="center", va="center_baseline")
    axes.set_aspect("equal")
    axes.grid(visible=False)
    axes.set_xticks([0, 1])
    axes.set_yticks([0, 1])
    axes.set_xlabel("first bit")
    axes.set_ylabel("second bit")
    axes.set_title("XOR by two relu units")
    perceptron = m["XOR"]["trained"][0]["correct"]
    return (
        "XOR: no line separates the two 1 from the two 0. relu(x1 + x2) − 2 relu(x1 + x2 − 1), of "
        f"two units, exceeds ½ in the blue band and classifies {m['XOR']['by hand']} of 4 points "
        f"correctly. Of {len(perceptron)} trained perceptrons, {perceptron.count(4)} classify 4 of "
        "4 points correctly."
    )


def by_curve(axes, m: dict[str, Any]) -> str | None:
    if "curves" not in m:
        return None
    names = {"constructed": "interpolation", "trained": "training"}
    found: dict[str, dict[float, list[float]]] = {
        name: {r["units"]: r["errors"] for r in m["curves"][kind]} for kind, name in names.items()
    }
    units = sorted(found["interpolation"])
    axes.set_yscale("log")
    axes.set_title("Error of one hidden layer on curves")
    axes.yaxis.set_major_formatter("{x:g}")
    lines(axes, found, "relu units", "largest error", at=units)
    each = (
        f"{name} {mean(by[min(by)]):.2g} with {min(by)} units and {mean(by[max(by)]):.2g} with "
        f"{max(by)}"
        for name, by in found.items()
        if by
    )
    return (
        "Largest error of a network with one hidden layer on curves of one variable, the mean over "
        f"curves: {', '.join(each)}. Bands: one standard deviation over curves."
    )


def by_regions(axes, m: dict[str, Any]) -> str | None:
    found = [m[name] for name in RELU if name in m]
    if not found:
        return None
    rows = {
        f"{r['network'].removeprefix('relu, ')}, {when}": r["regions"][kind]
        for r in found
        for kind, when in (("drawn", "before"), ("trained", "after"))
    }
    dots(axes, rows, "regions, before and after training")
    axes.set_title("Linear regions between two images")
    count = lambda r: mean(r["regions"]["trained"])
    each = "; ".join(
        f"{count(r):.0f} at {r['network']}, {count(r) / r['units']:.2f} per unit" for r in found
    )
    return (
        "Linear regions on the line between two test images, one dot per seed, with the mean, for "
        f"networks with about {found[0]['parameters']:,} parameters. After training: {each}."
    )


def by_network(axes, m: dict[str, Any]) -> str | None:
    found = {r["network"]: percent(r["test"]) for r in m.values() if "test" in r}
    if not found:
        return None
    dots(axes, found, "test accuracy, %")
    axes.set_title("Test accuracy by network")
    each = "; ".join(f"{name}: {mean(values):.1f} %" for name, values in found.items())
    return f"Test accuracy, one dot per seed, with the mean. {each}."
