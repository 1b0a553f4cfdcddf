"""Convolution by im2col for one tile of examples after another, so that rows stay in the cache.

The rows of a whole batch are prod(window) times its size: written once, read once, and gone from
the cache in between. A tile's rows are still there when the product reads them. The last short tile
is filled with zeros.
"""

import math
from functools import partial

import jax.numpy as jnp
from jax import lax

from fcnn.ops.convolution import patches
from fcnn.ops.product import wide

# Bytes of rows that a tile may hold. With less, products get small: 64×4×4×512 with 512 features
# took 118 ms at 1 MiB and 76 at 4; with more, rows leave the cache: 64×32×32×64 took 130 ms at 4
# and 182 with all of them at once (2 cores, 8 MiB of cache).
CACHE = 2**22


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
    return dw_by(partial(patches.dw, at=at, groups=groups), x, dy, at=at)


def dw_by(of_tile, x, dy, *, at):
    """The sum over tiles of what `of_tile` makes of each."""
    tiles = _tiles(at, x.shape[-1], x, dy)
    if tiles is None:
        return of_tile(x, dy).astype(x.dtype)
    part = lambda tile: of_tile(*tile).astype(wide(x.dtype))
    add = lambda total, tile: (total + part(tile), None)
    total, _ = lax.scan(add, part([t[0] for t in tiles]), [t[1:] for t in tiles])
    return total.astype(x.dtype)


def _tiles(at, channels, *arrays):
    """The arrays as (tiles, examples, ...), or None where one tile would do.

    So it does for a window of one tap, whose rows are the image itself: at stride 2, 128 channels
    and 256 features, one product took a quarter of the time.
    """
    n, dtype, taps = len(arrays[0]), arrays[0].dtype, math.prod(at.window)
    each = math.prod(at.out) * taps * channels * dtype.itemsize
    count = math.ceil(n / max(1, CACHE // each)) if n and each and taps > 1 else 1
    if count <= 1:
        return None
    length = math.ceil(n / count)
    fill = lambda a: jnp.pad(a, [(0, count * length - n), *[(0, 0)] * (a.ndim - 1)])
    return [fill(a).reshape(count, length, *a.shape[1:]) for a in arrays]
