"""Figures: filters and their selectivity, probes by layer, and receptive fields."""

from statistics import fmean
from typing import Any

import numpy as np

from experiments.features.evidence import accuracy, selective
from experiments.features.fields import EFFECTIVE
from experiments.features.measure import CHAINS, GABOR, LEARNED, NAMES, RANDOM, RAW
from experiments.features.networks import LAYERS
from experiments.framework.palette import COLOURS
from experiments.framework.plots import colour_of, dots, images, lines

ACROSS = 8  # filters in a row


def filters(axes, m) -> str | None:
    """The textbook's picture: the filters of the first layer, those before training below."""
    found = {name: np.array(m[name]["filters"]) for name in (LEARNED, RANDOM) if name in m}
    if not found:
        return None
    largest = max(float(np.abs(w).max()) for w in found.values())
    rows, captions = [], []
    for name, w in found.items():
        index = np.array(m[name]["selectivity"][0])
        order = np.argsort(-index)
        each = [(f"{index[i]:.2f}".removeprefix("0"), _signed(w[i] / largest)) for i in order]
        at = 1.3 * len(rows) + 1.1
        axes.text(-0.25, at, name, rotation=90, ha="center", va="center")
        rows += [each[i : i + ACROSS] for i in range(0, len(each), ACROSS)]
        captions.append(f"{name} {index.mean():.2f}")
    images(axes, rows, interpolation="none")
    axes.set_title("Filters of the first layer, with their selectivity index", pad=10)
    return (
        "Filters of the first layer of one seed, from the most to the least selective for "
        "orientation. Blue: positive weights; red: negative; paper: zero; all on one scale. "
        f"Mean index: {', '.join(captions)}."
    )


def _signed(values: np.ndarray) -> np.ndarray:
    """Values from −1 to 1 as red, transparent and blue. Shapes: (h, w) -> (h, w, 4)."""
    colour = lambda name: [int(COLOURS[name][i : i + 2], 16) / 255 for i in (1, 3, 5)]
    rgb = np.where(values[..., None] > 0, colour("blue"), colour("vermillion"))
    return np.concatenate([rgb, np.abs(values)[..., None]], -1)


def selectivity(axes, m) -> str | None:
    found = {
        name: [index for seed in m[name]["selectivity"] for index in seed]
        for name in (LEARNED, RANDOM, GABOR)
        if name in m
    }
    if LEARNED not in found:
        return None
    least = m[LEARNED]["threshold"]
    dots(axes, found, "selectivity index", ".2f")
    axes.axvline(least, color=COLOURS["soft"], lw=1, ls="--", zorder=0)
    axes.set_title("Selectivity for orientation, first layer")
    means = ", ".join(f"{name} {fmean(values):.2f}" for name, values in found.items())
    above, of = selective(m[LEARNED])
    return (
        "Selectivity for orientation, one dot per filter of the first layer of all seeds, with the "
        f"mean: {means}. 0: equal responses to gratings of all angles; 1: to one angle only. "
        f"Dashed: {least:.2f}, which 5 % of random filters exceed, and {above} of {of} learned "
        "filters."
    )


def probes(axes, m) -> str | None:
    if not all(name in m for name in NAMES):
        return None
    raw: dict[float, list[float]] = {0: accuracy(m, RAW, "pixels")}
    found: dict[str, dict[float, Any]] = {
        name: raw | {i + 1: accuracy(m, name, layer) for i, layer in enumerate(LAYERS)}
        for name in (LEARNED, RANDOM)
    }
    axes.set_title("Linear probes by layer")
    first = accuracy(m, GABOR, "layer 1")
    points = {RAW: (0, fmean(raw[0])), GABOR: (1, fmean(first))}
    for name, (x, y) in points.items():
        axes.plot(x, y, "D", color=colour_of(name), ms=7, zorder=3)
        axes.annotate(name, (x, y), (9, -4), textcoords="offset points", va="top")
    axes.set_xlim(-0.15, 3.1)
    lines(axes, found, "features", "test accuracy, %")
    axes.set_xticks(range(len(LAYERS) + 1), ["pixels", *LAYERS])
    each = (
        f"{name} {', '.join(f'{fmean(values):.1f}' for values in curve.values())} %"
        for name, curve in found.items()
    )
    return (
        "Test accuracy of a linear probe on the pixels and on the features of layers 1 to 3: "
        f"{'; '.join(each)}. Gabor filters as layer 1: {fmean(first):.1f} %. Bands: one standard "
        "deviation over seeds."
    )


def field(axes, m) -> str | None:
    """The mean gradient of a feature of the last layer, with its receptive field."""
    if LEARNED not in m:
        return None
    from matplotlib.patches import Rectangle

    gradient, found = np.array(m[LEARNED]["gradient"]), list(m[LEARNED]["fields"].values())[-1]
    y, x = (int(at.min()) for at in np.nonzero(gradient))
    axes.imshow(_signed(gradient / gradient.max()), interpolation="none")
    side = found["side"]
    axes.add_patch(Rectangle((x - 0.5, y - 0.5), side, side, fill=False, ec=COLOURS["vermillion"]))
    axes.grid(visible=False)
    axes.set_xlabel("pixels")
    axes.set_ylabel("pixels")
    axes.set_title("Gradient of a feature of layer 3")
    return (
        "Mean absolute gradient of a feature of layer 3 by the pixels of random images, of one "
        f"seed; paper: zero. Red: the receptive field by the formula, {side}×{side} pixels. "
        f"{found['effective'][0]} of its {side * side} pixels have at least 4.55 % of the largest "
        "gradient."
    )


def chains(axes, m) -> str | None:
    """Luo et al.'s picture: the receptive fields of deeper chains, each as one image."""
    if CHAINS not in m:
        return None
    row, shares = [], []
    for column, (depth, found) in enumerate(m[CHAINS].items()):
        gradient, side = np.array(found["gradient"]), found["side"]
        share = f"{100 * fmean(found['effective']) / side**2:.0f} %"
        row.append((f"{depth} layers: {share}", _signed(gradient / gradient.max())))
        shares.append(f"{share} of {side}×{side} pixels with {depth} layers")
        at = (np.arange(side + 2) - 0.5) / side * 0.92  # in the frame of `images`
        inside = np.pad(gradient >= EFFECTIVE * gradient.max(), 1)
        x, y = column + 0.04 + at, at
        axes.contour(x, y, inside, [0.5], colors=COLOURS["vermillion"], linewidths=1)
    images(axes, [row], interpolation="none")
    axes.set_title("Effective share of receptive fields", pad=10)
    return (
        "Mean absolute gradient of a feature of convolutions 3×3 with relu and random weights, of "
        "one seed. Each image is one receptive field; paper: zero. Red: the effective receptive "
        "field, of pixels with at least 4.55 % of the largest gradient. Its mean share over "
        f"seeds: {', '.join(shares)}."
    )
