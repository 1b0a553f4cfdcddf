"""Test images, weights and feature maps as small PNG images in the page."""

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from experiments.fc_vs_conv.explorer.stored import decoded, forward, weights
from fcnn.data import Images

POSITIVE, NEGATIVE = (224, 122, 31), (46, 117, 182)  # orange and blue
GAP = (70, 70, 70, 255)  # between feature maps
UNITS = 24  # of dense's first layer


def png(pixels: np.ndarray, text: str, size: int | None = None) -> str:
    """An <img> of uint8 pixels with this alternative text, `size` CSS pixels wide.

    Shapes: pixels (h, w), (h, w, 3) or (h, w, 4).
    """
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png", optimize=True)
    data = base64.b64encode(file.getvalue()).decode()
    width = f' width="{size}"' if size else ""
    return f'<img class="pixels" alt="{escape(text)}"{width} src="data:image/png;base64,{data}">'


def grey(x: np.ndarray) -> np.ndarray:
    """uint8 pixels of an image (h, w, c) from 0 to 1."""
    x = np.round(255 * x.clip(0, 1)).astype(np.uint8)
    return x[..., 0] if x.shape[-1] == 1 else x


def signed(w: np.ndarray) -> np.ndarray:
    """Pixels of weights (h, w): orange above 0, blue below, and transparent at 0."""
    size = np.abs(w) / max(np.abs(w).max(), 1e-9)
    colour = np.where(w[..., None] > 0, POSITIVE, NEGATIVE)
    return np.concatenate([colour, 255 * size[..., None]], axis=-1).astype(np.uint8)


def mosaic(maps: np.ndarray) -> np.ndarray:
    """Feature maps (h, w, n) side by side in one picture: white is the largest value of all."""
    h, w, n = maps.shape
    columns = int(np.ceil(np.sqrt(n)))
    rows = -(-n // columns)
    pixels = np.zeros((rows * (h + 1), columns * (w + 1), 4), np.uint8)
    for i in range(n):
        top, left = i // columns * (h + 1), i % columns * (w + 1)
        level = 255 * maps[..., i] / max(maps.max(), 1e-9)
        pixels[top : top + h + 1, left : left + w + 1] = GAP
        pixels[top : top + h, left : left + w, :3] = level[..., None].astype(np.uint8)
    return pixels[:-1, :-1]


def button(x: np.ndarray, number: int, text: str, caption: str = "") -> str:
    """A test image that the explorer shows at a click, as image `number` of its list."""
    image = png(grey(x), text)
    label = f"<small>{escape(caption)}</small>" if caption else ""
    return f'<button type="button" data-image="{number}">{image}{label}</button>'


def moved(x: np.ndarray, right: int) -> np.ndarray:
    """Images moved to the right; zeros fill the gap."""
    wide = np.pad(x, ((0, 0), (0, 0), (right, 0), (0, 0)))
    return wide[:, :, : x.shape[2]]


def filters(name: str, network: dict[str, Any]) -> str:
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


def feature_maps(network: dict[str, Any], image: np.ndarray) -> list[tuple[str, str]]:
    """The number and size of the maps, and their picture, after each convolution and relu."""
    found = []
    for name, y in forward(network, image[None]).items():
        if name.startswith("relu") and y.ndim == 4:
            h, w, n = y.shape[1:]
            text = f"{n} maps of {h}×{w}"
            found.append((text, png(mosaic(y[0]), text)))
    return found


def images_of(shown: dict[str, Any]) -> Images:
    """The kept test images."""
    x = decoded(shown["x"], (-1, *shown["shape"]))
    return Images(x, np.array(shown["y"], np.int32))


def wrong_of(network: dict[str, Any]) -> Sequence[tuple[np.ndarray, dict[str, Any]]]:
    return [(decoded(each["x"], network["input"]), each) for each in network["wrong"]]
