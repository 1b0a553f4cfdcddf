"""Figures: feature maps of an image and of its shift, change of features, accuracy by shift."""

from statistics import fmean

import numpy as np

from experiments.framework.plots import dots, images, lines
from experiments.framework.statistics import percent
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
    axes.set_title("Feature maps of an image and of its shift")
    return (
        "An image, the same image shifted by 1 pixel down and right, and the most active feature "
        "map of the first convolution for both; darker is larger. The maps differ by up to "
        f"{100 * plain.max() / top:.0f} % of the largest value; after the first one is shifted by "
        f"the same pixel (realigned), by {100 * error[2:-1, 2:-1].max() / top:g} % inside the "
        "border."
    )


def by_change(axes, m) -> str | None:
    found = {name: m[name]["change"] for name in NETWORKS if name in m}
    if not found:
        return None
    dots(axes, found, "cosine distance of features", ".3f")
    axes.set_xlim(left=0)
    axes.set_title("Change of features by a 1-pixel shift")
    means = ", ".join(f"{name} {fmean(values):.3f}" for name, values in found.items())
    return (
        "Cosine distance between the features of test images and of the same images shifted by 1 "
        f"pixel, one dot per seed, with the mean: {means}. A distance of 0 is invariance."
    )


def by_shift(axes, m) -> str | None:
    found: dict[str, dict[float, list[float]]] = {
        name: {int(d): percent(each) for d, each in m[name]["accuracy"].items()}
        for name in NETWORKS
        if name in m
    }
    if not found:
        return None
    axes.set_xticks(range(3))
    axes.set_title("Test accuracy on shifted images")
    lines(axes, found, "shift of the test images, pixels", "test accuracy, %")
    ends = ", ".join(f"{k} {fmean(v[0]):.1f} to {fmean(v[1]):.1f}" for k, v in found.items())
    return (
        "Test accuracy when test images are shifted, the mean of four directions; no network was "
        f"trained on shifted images. From no shift to 1 pixel: {ends} %. Bands: one standard "
        "deviation over seeds."
    )
