"""Images, weights and feature maps as small PNG images in the page."""

import base64
import io
from html import escape

import numpy as np

POSITIVE, NEGATIVE = (224, 122, 31), (46, 117, 182)  # orange and blue
GAP = (70, 70, 70, 255)  # between feature maps


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
