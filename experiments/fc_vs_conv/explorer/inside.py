"""A section of the report: first-layer weights, and the feature maps of one test image."""

from typing import Any

import numpy as np

from experiments.fc_vs_conv.explorer.images import COMPARED, EXAMPLE
from experiments.fc_vs_conv.explorer.kept import Shown
from experiments.fc_vs_conv.explorer.pictures import grey, mosaic, png, signed
from experiments.fc_vs_conv.explorer.stored import decoded, forward, weights

UNITS = 24  # of dense's first layer


def inside(shown: Shown, networks: dict[str, Any]) -> str:
    compared = [name for name in COMPARED if name in networks]
    parts = []
    for name in compared:
        first = next(layer for layer in networks[name]["layers"] if "w" in layer)
        what = "units of the first layer" if first["kind"] == "dense" else "kernels"
        parts.append(f"<h3>{name}: {what}</h3>{_filters(name, networks[name])}")
    parts.append(
        '<p class="soft">Weights: <span class="positive">orange</span> above zero, '
        '<span class="negative">blue</span> below. A unit of dense has one weight per pixel of the '
        "image (those with the largest weights are shown). A kernel has nine, used everywhere.</p>"
    )
    image = decoded(shown.images["x"], (-1, *shown.images["shape"]))[EXAMPLE]
    if "conv3" in compared:
        maps = [
            f"<figure>{picture}<figcaption>{text}</figcaption></figure>"
            for text, picture in _feature_maps(networks["conv3"], image)
        ]
        given = f"<figure>{png(grey(image), 'the image')}<figcaption>image</figcaption></figure>"
        parts.append(
            f'<h3>conv3: feature maps of one test image</h3><div class="maps">{given}'
            f"{''.join(maps)}</div>"
            '<p class="soft">Outputs of the three stages, before pooling: '
            "black is 0, white the largest value of the stage.</p>"
        )
    return "".join(parts)


def _filters(name: str, network: dict[str, Any]) -> str:
    """The first weights of a network: an image per unit of dense, or per kernel of conv."""
    first = next(layer for layer in network["layers"] if "w" in layer)
    w = weights(network)[first["name"]]["w"]
    if first["kind"] == "dense":
        w = w.reshape(*network["input"], -1)
        w = w[..., np.argsort(-np.square(w).sum((0, 1, 2)), kind="stable")[:UNITS]]
    w = w.mean(2)
    what = "unit" if first["kind"] == "dense" else "kernel"
    images = [png(signed(w[..., i]), f"{name}, {what} {i + 1}") for i in range(w.shape[-1])]
    return f'<div class="tiles {first["kind"]}">{"".join(images)}</div>'


def _feature_maps(network: dict[str, Any], image: np.ndarray) -> list[tuple[str, str]]:
    """The number and size of the maps, and their picture, after each convolution and relu."""
    found = []
    for name, y in forward(network, image[None]).items():
        if name.startswith("relu") and y.ndim == 4:
            h, w, n = y.shape[1:]
            text = f"{n} maps of {h}×{w}"
            found.append((text, png(mosaic(y[0]), text)))
    return found
