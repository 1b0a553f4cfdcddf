"""dw of depthwise convolution of images at stride 1: one loop over blocks of rows.

With tap (i, j), position (p, q) and channel c, dilation d, and x padded,

    dw[i,j,c] = sum_{n,p,q} x[n, p + d i, q + d j, c] dy[n,p,q,c]

A step of the loop reads a block of rows of one example. For each tap it adds x shifted by d i and
d j times dy to an array of the size of the block. These arrays stay in the cache, and are summed
over rows and columns at the end. A row is flat, (q, c), so that the inner loops are long.
Milliseconds, and seconds of compilation, on two busy cores of an Intel Xeon:

    shape                  this loop       a loop over tiles of four examples
    64×32×32×64, 3×3        23 (1.1)       34 (1.6)
    8×56×56×144, 3×3        24 (1.2)      101 (1.2)
    8×14×14×384, 3×3         3 (1.1)        6 (1.4)
    8×28×28×240, 5×5        23 (3.1)       55 (3.1)
"""

import math

import jax.numpy as jnp
from jax import Array, lax

from fcnn.ops.contraction import accumulation_dtype, contract
from fcnn.ops.mesh_axes import varying_like
from fcnn.ops.taps import padded
from fcnn.ops.window import Windows

ROWS = 16  # of a block, at most


def supported(geometry: Windows) -> bool:
    """If `dw` computes convolutions of this geometry."""
    return len(geometry.size) == 2 and max(geometry.stride) == 1


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
    x = padded(x, [(top, bottom + missing), across])
    x = x.reshape(n, x.shape[1], x.shape[2] * c)
    dy = padded(dy, [(0, missing), (0, 0)]).reshape(n * blocks, rows, w * c)
    read_rows = (1, rows + geometry.effective_window[0] - 1, x.shape[2])

    def step(state, dy):
        sums, b = state
        start = b // blocks, rows * (b % blocks), jnp.zeros_like(b)
        cells = lax.dynamic_slice(x, start, read_rows)[0].astype(dtype)
        parts = (cells[i : i + rows, j * c : (j + w) * c] for i, j in geometry.taps)
        sums = [a + part * dy.astype(dtype) for a, part in zip(sums, parts, strict=True)]
        return (sums, b + 1), None

    zero = varying_like(jnp.zeros((rows, w * c), dtype), x, dy)
    start = [zero] * math.prod(geometry.window), varying_like(jnp.int32(0), x, dy)
    (sums, _), _ = lax.scan(step, start, dy)
    ones = jnp.ones(rows * w, dtype)
    each = [contract(ones, a.reshape(rows * w, c), ((0,), (0,))) for a in sums]
    return jnp.stack(each).reshape(*geometry.window, 1, c)
