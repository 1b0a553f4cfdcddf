"""A batch tile by tile: a few examples after another, so that what is made of them stays in cache.

The last short tile is filled up with zeros.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax

from fcnn.ops.product import wide


def mapped(of_tile: Callable, x: Array, bytes_each: int, most: int) -> Array:
    """`of_tile` of the examples x, so few at a time that at `bytes_each` they take `most`."""
    tiles = _tiles(bytes_each, most, x)
    if tiles is None:
        return of_tile(x)
    y = lax.map(of_tile, tiles[0])
    return y.reshape(-1, *y.shape[2:])[: len(x)]


def summed(of_tile: Callable, x: Array, dy: Array, bytes_each: int, most: int) -> Array:
    """The sum over tiles of what `of_tile` makes of the examples x and dy."""
    tiles = _tiles(bytes_each, most, x, dy)
    if tiles is None:
        return of_tile(x, dy)
    add = lambda total, tile: (total + of_tile(*tile).astype(total.dtype), None)
    none = jnp.zeros(jax.eval_shape(of_tile, x, dy).shape, wide(x.dtype))
    return lax.scan(add, none, tiles)[0]


def _tiles(bytes_each, most, *arrays):
    """The arrays as (tiles, examples, ...), or None where one tile would do."""
    n = len(arrays[0])
    count = math.ceil(n / max(1, most // bytes_each)) if n and bytes_each else 1
    if count <= 1:
        return None
    length = math.ceil(n / count)
    count = math.ceil(n / length)
    fill = lambda a: jnp.pad(a, [(0, count * length - n), *[(0, 0)] * (a.ndim - 1)])
    return [fill(a).reshape(count, length, *a.shape[1:]) for a in arrays]
