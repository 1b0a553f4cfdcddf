"""dw of depthwise convolution of images at stride 1: a loop over blocks of rows.

With tap (i, j), position (p, q) and channel c, dilation d, and x padded,

    dw[i,j,c] = sum_{n,p,q} x[n, p + d i, q + d j, c] dy[n,p,q,c]

A step of the loop reads a block of rows of one example. For each tap it adds x shifted by d i and
d j times dy to an array of the size of the block. These arrays stay in the cache, and are summed
over rows and columns at the end. A row is flat, (q, c), so that the inner loops are long. One
example is padded at a time, so that no padded batch is written to memory.
Milliseconds, and seconds of compilation, on two busy cores of an Intel Xeon:

    shape                  this loop       a loop over tiles of four examples
    64×32×32×64, 3×3        18 (1.0)       41 (1.4)
    8×112×112×32, 3×3       16 (1.2)       73 (1.5)
    8×56×56×144, 3×3        27 (1.2)       90 (1.3)
    64×8×8×256, 3×3          6 (1.0)       17 (1.7)
    8×28×28×240, 5×5        22 (2.9)       49 (2.9)
"""

import math

import jax.numpy as jnp
from jax import Array, lax

from fcnn.ops.contraction import accumulation_dtype, contract
from fcnn.ops.mesh_axes import varying_like
from fcnn.ops.taps import padded
from fcnn.ops.window import Windows

ROWS = 8  # of a block, at most
LEAST = 512  # numbers of a block; with fewer, the steps of the loop take longer than the sums


def fits(geometry: Windows, c: int) -> bool:
    """If `dw` computes this convolution of c channels, in blocks that are large enough."""
    if len(geometry.size) != 2 or max(geometry.stride) > 1:
        return False
    h, w = geometry.out
    return min(h, ROWS) * w * c >= LEAST


def dw(x: Array, dy: Array, geometry: Windows) -> Array:
    """dw (*window, 1, c) from x (n, *size, c) and dy (n, *out, c)."""
    dtype = accumulation_dtype(x.dtype)
    (h, w), (n, *_, c) = geometry.out, x.shape
    if n == 0:
        return varying_like(jnp.zeros((*geometry.window, 1, c), dtype), x, dy)
    blocks = max(1, math.ceil(h / ROWS))
    rows = math.ceil(h / blocks)
    missing = blocks * rows - h  # rows of the last block
    (top, bottom), across = geometry.padding
    flat = lambda a: a.reshape(*a.shape[:-2], -1)
    dy = flat(padded(dy, [(0, missing), (0, 0)])).reshape(n * blocks, rows, w * c)

    def add_example(state, x):
        x = flat(padded(x[None], [(top, bottom + missing), across])[0])

        def add_block(state, first):
            sums, b = state
            cells = lax.dynamic_slice_in_dim(x, first, rows + geometry.effective_window[0] - 1)
            cells, dy_b = cells.astype(dtype), lax.dynamic_index_in_dim(dy, b, keepdims=False)
            parts = (cells[i : i + rows, j * c : (j + w) * c] for i, j in geometry.taps)
            sums = [a + part * dy_b.astype(dtype) for a, part in zip(sums, parts, strict=True)]
            return (sums, b + 1), None

        return lax.scan(add_block, state, rows * jnp.arange(blocks))

    zero = varying_like(jnp.zeros((rows, w * c), dtype), x, dy)
    start = [zero] * math.prod(geometry.window), varying_like(jnp.int32(0), x, dy)
    (sums, _), _ = lax.scan(add_example, start, x)
    ones = jnp.ones(rows * w, dtype)
    each = [contract(ones, a.reshape(rows * w, c), ((0,), (0,))) for a in sums]
    return jnp.stack(each).reshape(*geometry.window, 1, c)
