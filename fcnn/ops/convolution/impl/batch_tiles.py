"""Loops over tiles of a batch, so that the intermediate arrays of a tile stay in the cache.

A tile is a few examples. If one example is too large, images are cut along their first axis into
strips, and each strip counts as an example. With stride s and effective window e along that axis, a
strip has L output positions, which read e + s (L - 1) rows of the padded input:

    strip j  =  padded rows s L j .. s L (j + 1) + e - s - 1        L = length

So neighbouring strips share e - s rows. The last tile, or strip, is filled up with zeros.

If the number of examples is symbolic, as in `jax.export`, the numbers of tiles and of examples in a
tile are symbolic too. JAX replaces all of them by integers before it compiles the loaded program.
Its tiles are the tiles of a program traced with integers. It loops over the tiles even if there is
only one tile, but XLA removes a loop of one step. Only dw of depthwise "taps" is slower where it is
not one loop over rows (`depthwise.py`), because it cannot unroll its sum over examples.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax

from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.mesh_axes import varying_like
from fcnn.ops.taps import padded
from fcnn.ops.window import Windows


def map_tiles(of_tile: Callable, x: Array, geometry: Windows, bytes_each: int, most: int) -> Array:
    """Compute y (n, *out, o) from x (n, *size, c) by of_tile(x, geometry) -> y for each tile.

    The intermediate arrays of one example need `bytes_each` bytes. The intermediate arrays of one
    tile may need `most` bytes.
    """
    length = _strip_length(geometry, bytes_each, most)
    strips, strip_geometry, bytes_each = _strips_of_input(x, geometry, length, bytes_each)
    tiles = _tiles(bytes_each, most, strips)
    if tiles is None:
        y = of_tile(strips, strip_geometry)
    else:
        y = lax.map(lambda x: of_tile(x, strip_geometry), tiles[0])
        y = y.reshape(-1, *y.shape[2:])[: strips.shape[0]]
    rows = length * math.ceil(geometry.out[0] / length)
    return y.reshape(x.shape[0], rows, *y.shape[2:])[:, : geometry.out[0]]


def sum_tiles(
    of_tile: Callable, x: Array, dy: Array, geometry: Windows, bytes_each: int, most: int
) -> Array:
    """The sum over tiles of of_tile(x, dy, geometry), for x (n, *size, c) and dy (n, *out, o)."""
    length = _strip_length(geometry, bytes_each, most)
    x, strip_geometry, bytes_each = _strips_of_input(x, geometry, length, bytes_each)
    dy = _strips_of_output(dy, geometry, length)
    tiles = _tiles(bytes_each, most, x, dy)
    if tiles is None:
        return of_tile(x, dy, strip_geometry)
    add = lambda total, tile: (total + of_tile(*tile, strip_geometry).astype(total.dtype), None)
    shape = jax.eval_shape(lambda x, dy: of_tile(x, dy, strip_geometry), x, dy).shape
    start = varying_like(jnp.zeros(shape, accumulation_dtype(x.dtype)), x, dy)
    return lax.scan(add, start, tiles)[0]


def _tiles(bytes_each, most, *arrays):
    """The arrays as (tiles, examples, ...), or None if one tile is enough."""
    n = arrays[0].shape[0]
    count = -(-n // max(1, most // bytes_each)) if bytes_each else 1
    if count in (0, 1):  # a symbolic number is neither 0 nor 1
        return None
    length = -(-n // count)
    count = -(-n // length)
    fill = lambda a: jnp.pad(a, [(0, count * length - n), *[(0, 0)] * (a.ndim - 1)])
    return [fill(a).reshape(count, length, *a.shape[1:]) for a in arrays]


def _strip_length(geometry, bytes_each, most):
    """Output positions of a strip along the first axis.

    If there are several strips, the length is even, because "winograd" computes positions in pairs.
    The length divides the output size if a divisor is near. A strip of L positions advances by s L
    rows. It shares e - s rows, at most s L, with the next strip.
    """
    m, s = geometry.out[0], geometry.stride[0]
    if bytes_each <= most:
        return m
    least = max(2, math.ceil((geometry.effective_window[0] - s) / s))
    longest = 2 * math.ceil(max(least, most * m // bytes_each) / 2)
    near = range(longest, max(least, longest // 2) - 1, -2)
    return min(m, next((length for length in near if m % length == 0), longest))


def _strips_of_input(x, geometry, length, bytes_each):
    """All strips as one batch, the windows on a strip, and `bytes_each` of a strip."""
    m, s = geometry.out[0], geometry.stride[0]
    if length == m:
        return x, geometry, bytes_each
    count, rows = math.ceil(m / length), s * length
    margin = max(0, geometry.effective_window[0] - s)
    n, size, lo = x.shape[0], x.shape[1], geometry.padding[0][0]
    x = padded(x, [(lo, (count + 1) * rows - lo - size), *[(0, 0)] * (x.ndim - 3)])
    x = x.reshape(n, count + 1, rows, *x.shape[2:])
    x = jnp.concatenate([x[:, :-1], x[:, 1:, :margin]], 2)
    strip_geometry = geometry._replace(
        size=(rows + margin, *geometry.size[1:]), padding=((0, 0), *geometry.padding[1:])
    )
    return x.reshape(-1, *x.shape[2:]), strip_geometry, math.ceil(bytes_each * length / m)


def _strips_of_output(dy, geometry, length):
    """dy cut into the same strips as x."""
    m = geometry.out[0]
    if length == m:
        return dy
    count = math.ceil(m / length)
    dy = padded(dy, [(0, count * length - m), *[(0, 0)] * (dy.ndim - 3)])
    return dy.reshape(-1, length, *dy.shape[2:])
