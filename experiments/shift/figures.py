"""Figures: feature maps of an image and of its shift, change of features, accuracy by shift."""

from statistics import fmean

import numpy as np

from experiments.framework.plots import dots, images, lines
from experiments.shift.measure import NETWORKS

MAPS = "max pool"


def feature_maps(axes, m) -> str | None:
    if MAPS not in m:
        return None
    found = {name: np.array(a) for name, a in m[MAPS]["maps"].items()}
    image, moved, before, after = found.values()
    back = np.zeros_like(before)
    back[1:, 1:] = before[:-1, :-1]
    plain, error = np.abs(after - before), np.abs(after - back)
    top = max(before.max(), after.max()) or 1
    images(
        axes,
        [
            [("image", image), ("its map", before / top), ("difference", plain / top)],
            [("shifted", moved), ("its map", after / top), ("realigned", error / top)],
        ],
        vmin=0,
        vmax=1,
    )
    return (
        "An image, the same image shifted by 1 pixel down and right, and the most active feature "
        "map of the first convolution for both; darker is larger. The maps differ by up to "
        f"{plain.max() / top:.0%} of the largest value. After the first map is shifted by the same "
        f"pixel, they differ by {error[2:-1, 2:-1].max():g} inside the border (realigned)."
    )


def by_change(axes, m) -> str | None:
    found = {name: m[name]["change"] for name in NETWORKS if name in m}
    if not found:
        return None
    dots(axes, found, "cosine distance of features")
    axes.set_xlim(left=0)
    means = ", ".join(f"{name} {fmean(values):.3f}" for name, values in found.items())
    return (
        "Cosine distance between the head's input for test images and for the same images shifted "
        f"by 1 pixel, one dot per seed, with the mean as a bar: {means}. 0 is invariant."
    )


def by_shift(axes, m) -> str | None:
    found: dict[str, dict[float, list[float]]] = {
        name: {int(d): [100 * a for a in each] for d, each in m[name]["accuracy"].items()}
        for name in NETWORKS
        if name in m
    }
    if not found:
        return None
    lines(axes, found, "shift of test images, pixels", "test accuracy, percent")
    axes.set_xticks(range(3))
    axes.set_xlim(-0.1, 2.9)
    ends = ", ".join(f"{k} {fmean(v[0]):.1f} to {fmean(v[1]):.1f}" for k, v in found.items())
    return (
        "Test accuracy in percent when every test image is shifted, the mean over four directions "
        f"and over seeds. From no shift to 1 pixel: {ends}. No network saw shifted images."
    )
