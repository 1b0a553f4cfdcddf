"""Cutout: set one square of each image to a constant."""

import jax
import jax.numpy as jnp

from fcnn.data.augment.augmentation import (
    Augmentation,
    augmentation,
    fill_like,
    require_fill,
    require_within_image,
)
from fcnn.ops.validation import named, require_counts


def cutout(size: int, *, fill: float = 0) -> Augmentation:
    """Set one square of size×size pixels of each image to `fill`, at a random place.

    The centre of the square is uniform over the pixels of the image, as in the paper, so the border
    of the image may cut the square. The square has `size` // 2 rows before the row of its centre.
    All channels are set.

    Shapes: (key, batch) -> batch; x (n, h, w, c) keeps its shape and dtype.
    Options:
        size: the side of the square in pixels, from 1 to the smaller one of h and w.
        fill: the value of the pixels in the square.
    Units:  fill: those of x. The paper's fill is 0 after subtraction of the mean.
    Raises: ValueError for a size below 1 or larger than the image, x without 4 axes, a fill that
            uint8 cannot hold, or a batch without x; TypeError if the batch is neither a dict nor a
            pair (x, y), x holds neither floats nor uint8, or key is not one random key.
    Cost:   two random numbers per example, and one copy of x.
    Source: DeVries & Taylor 2017, arXiv:1708.04552.

    >>> cut, x = fcnn.data.augment.cutout(2), jnp.ones((1, 4, 4, 1))
    >>> cut(jax.random.key(1), {"x": x})["x"][0, :, :, 0]
    Array([[1., 1., 0., 0.],
           [1., 1., 1., 1.],
           [1., 1., 1., 1.],
           [1., 1., 1., 1.]], dtype=float32)
    """
    with named("cutout"):
        require_counts(size=size)
        require_fill(fill)

    def validate(x):
        require_within_image("size", size, min(x.shape[1:3]), x)
        fill_like(x, fill)

    def transform(key, x):
        n, h, w, _ = x.shape
        limits = jnp.array([h, w], jnp.int32)[None]
        first = jax.random.randint(key, (n, 2), 0, limits, jnp.int32) - size // 2
        rows, columns = _between(first[:, :1], size, h), _between(first[:, 1:], size, w)
        square = rows[:, :, None, None] & columns[:, None, :, None]  # (n, h, w, 1)
        return (jnp.where(square, fill_like(x, fill), x),)

    return augmentation("cutout", transform, validate)


def _between(first, size, end):
    """Whether each index of 0 .. end - 1 is one of the `size` indices from `first` (n, 1)."""
    i = jnp.arange(end, dtype=first.dtype)[None]
    return (first <= i) & (i < first + size)  # (n, end)
