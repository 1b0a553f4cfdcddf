"""Convolution by im2col for one tile of examples after another, so that rows stay in the cache.

The rows of a whole batch are prod(window) times its size: written once, read once, and gone from
the cache in between. A tile's rows are still there when the product reads them. The last short tile
is filled with zeros.
"""

import math

import jax.numpy as jnp
from jax import lax

from fcnn.ops.convolution import patches
from fcnn.ops.product import wide

CACHE = 2**20  # bytes of rows that a tile may hold; 30 ms against 115 for im2col at 64×32×32×64


def forward(x, w, *, at, groups):
    tiles = _tiles(at, x.shape[-1], x)
    if tiles is None:
        return patches.forward(x, w, at=at, groups=groups)
    y = lax.map(lambda x: patches.forward(x, w, at=at, groups=groups), tiles[0])
    return y.reshape(-1, *y.shape[2:])[: len(x)]


def dx(w, dy, *, at, groups):
    tiles = _tiles(at, w.shape[-2] * groups, dy)
    if tiles is None:
        return patches.dx(w, dy, at=at, groups=groups)
    dx = lax.map(lambda dy: patches.dx(w, dy, at=at, groups=groups), tiles[0])
    return dx.reshape(-1, *dx.shape[2:])[: len(dy)]


def dw(x, dy, *, at, groups):
    tiles = _tiles(at, x.shape[-1], x, dy)
    if tiles is None:
        return patches.dw(x, dy, at=at, groups=groups)
    part = lambda tile: patches.dw(*tile, at=at, groups=groups).astype(wide(x.dtype))
    add = lambda total, tile: (total + part(tile), None)
    total, _ = lax.scan(add, part([t[0] for t in tiles]), [t[1:] for t in tiles])
    return total.astype(x.dtype)


def _tiles(at, channels, *arrays):
    """The arrays as (tiles, examples, ...), or None where one tile would do."""
    n, dtype = len(arrays[0]), arrays[0].dtype
    each = math.prod(at.out) * math.prod(at.window) * channels * dtype.itemsize
    count = math.ceil(n / max(1, CACHE // each)) if n and each else 1
    if count <= 1:
        return None
    length = math.ceil(n / count)
    fill = lambda a: jnp.pad(a, [(0, count * length - n), *[(0, 0)] * (a.ndim - 1)])
    return [fill(a).reshape(count, length, *a.shape[1:]) for a in arrays]
