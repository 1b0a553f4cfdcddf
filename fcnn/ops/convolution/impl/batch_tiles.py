"""A batch tile by tile, so that what is made of a tile stays in the cache.

A tile is a few examples. Where one alone is too large, images are cut along their first axis: a
strip is an example of its own, of `length` rows of places and the cells that these read,

    strip j  =  padded rows s L j .. s L (j + 1) + reach - s - 1        L = length

so that neighbours share a margin of reach - s rows. The last short tile, or strip, is filled up
with zeros.

A symbolic number of examples, as in `jax.export`, makes the number of tiles, and of examples in a
tile, symbolic too. JAX puts numbers in their place before it compiles the loaded program, which has
the tiles of any other. It costs nothing: XLA removes a loop of one step. dw of depthwise "taps"
alone takes up to 1.4 times as long (64×8×8×256, 2 cores), as it reads a tile otherwise.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax

from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.mesh_axes import varying_like
from fcnn.ops.window import Windows, padded


def mapped(of_tile: Callable, x: Array, geometry: Windows, bytes_each: int, most: int) -> Array:
    """y (n, *out, o) of x (n, *size, c), where of_tile(x, at) gives it for a tile.

    An example takes `bytes_each`, a tile at most `most`.
    """
    length = _length(geometry, bytes_each, most)
    strips, part, bytes_each = _strips(x, geometry, length, bytes_each)
    tiles = _tiles(bytes_each, most, strips)
    if tiles is None:
        y = of_tile(strips, part)
    else:
        y = lax.map(lambda x: of_tile(x, part), tiles[0])
        y = y.reshape(-1, *y.shape[2:])[: strips.shape[0]]
    rows = length * math.ceil(geometry.out[0] / length)
    return y.reshape(x.shape[0], rows, *y.shape[2:])[:, : geometry.out[0]]


def summed(
    of_tile: Callable, x: Array, dy: Array, geometry: Windows, bytes_each: int, most: int
) -> Array:
    """The sum over tiles of of_tile(x, dy, at), for x (n, *size, c) and dy (n, *out, o)."""
    length = _length(geometry, bytes_each, most)
    x, part, bytes_each = _strips(x, geometry, length, bytes_each)
    dy = _places(dy, geometry, length)
    tiles = _tiles(bytes_each, most, x, dy)
    if tiles is None:
        return of_tile(x, dy, part)
    add = lambda total, tile: (total + of_tile(*tile, part).astype(total.dtype), None)
    shape = jax.eval_shape(lambda x, dy: of_tile(x, dy, part), x, dy).shape
    start = varying_like(jnp.zeros(shape, accumulation_dtype(x.dtype)), x, dy)
    return lax.scan(add, start, tiles)[0]


def _tiles(bytes_each, most, *arrays):
    """The arrays as (tiles, examples, ...), or None where one tile would do."""
    n = arrays[0].shape[0]
    count = -(-n // max(1, most // bytes_each)) if bytes_each else 1
    if count in (0, 1):  # a symbolic number is neither
        return None
    length = -(-n // count)
    count = -(-n // length)
    fill = lambda a: jnp.pad(a, [(0, count * length - n), *[(0, 0)] * (a.ndim - 1)])
    return [fill(a).reshape(count, length, *a.shape[1:]) for a in arrays]


def _length(geometry, bytes_each, most):
    """Rows of places in a strip: an even number, as Winograd's are, and a divisor if one is near.

    None has fewer cells of its own than it shares.
    """
    m, s = geometry.out[0], geometry.stride[0]
    if bytes_each <= most:
        return m
    least = max(2, math.ceil((geometry.effective_window[0] - s) / s))
    longest = 2 * math.ceil(max(least, most * m // bytes_each) / 2)
    near = range(longest, max(least, longest // 2) - 1, -2)
    return min(m, next((length for length in near if m % length == 0), longest))


def _strips(x, geometry, length, bytes_each):
    """The strips of all examples as examples, their windows, and the bytes that one takes."""
    m, s = geometry.out[0], geometry.stride[0]
    if length == m:
        return x, geometry, bytes_each
    count, rows, margin = (
        math.ceil(m / length),
        s * length,
        max(0, geometry.effective_window[0] - s),
    )
    n, size, lo = x.shape[0], x.shape[1], geometry.padding[0][0]
    x = padded(x, [(lo, (count + 1) * rows - lo - size), *[(0, 0)] * (x.ndim - 3)])
    x = x.reshape(n, count + 1, rows, *x.shape[2:])
    x = jnp.concatenate([x[:, :-1], x[:, 1:, :margin]], 2)
    part = geometry._replace(
        size=(rows + margin, *geometry.size[1:]), padding=((0, 0), *geometry.padding[1:])
    )
    return x.reshape(-1, *x.shape[2:]), part, math.ceil(bytes_each * length / m)


def _places(dy, geometry, length):
    """dy cut as its image is."""
    m = geometry.out[0]
    if length == m:
        return dy
    count = math.ceil(m / length)
    dy = padded(dy, [(0, count * length - m), *[(0, 0)] * (dy.ndim - 3)])
    return dy.reshape(-1, length, *dy.shape[2:])
