"""Digits at random places of a canvas, and the hits of maps on them."""

from typing import NamedTuple

import numpy as np

from fcnn.data import Images


class Canvases(NamedTuple):
    """Images of one digit each; (top, left) of its box are in `corners`."""

    x: np.ndarray
    y: np.ndarray
    corners: np.ndarray  # (n, 2)

    @property
    def images(self) -> Images:
        return Images(self.x, self.y)


def placed(images: Images, size: int, seed: int) -> Canvases:
    """Each image at a random place of a canvas of size×size pixels."""
    n, side, _, channels = images.x.shape
    corners = np.random.default_rng(seed).integers(0, size - side + 1, (n, 2))
    x = np.zeros((n, size, size, channels), np.float32)
    for canvas, image, (top, left) in zip(x, images.x, corners, strict=True):
        canvas[top : top + side, left : left + side] = image
    return Canvases(x, images.y, corners)


def class_maps(features: np.ndarray, w: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The class activation map of one class per image.

    Shapes: features (n, h, w, c), w (c, classes), classes (n,) -> (n, h, w).
    """
    return np.einsum("nijk,nk->nij", features, w.T[classes])


def hits(maps: np.ndarray, corners: np.ndarray, stride: int, side: int) -> np.ndarray:
    """Whether the centre of the maximum's cell, of stride×stride pixels, is in the box. (n,)"""
    n, _, width = maps.shape
    cells = np.stack(np.divmod(maps.reshape(n, -1).argmax(1), width), axis=1)
    offset = (cells + 0.5) * stride - corners
    return np.all((offset >= 0) & (offset < side), axis=1)
