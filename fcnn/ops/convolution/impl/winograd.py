"""Winograd convolution F(2×2, 3×3): windows of 3 with 4/9 of the multiplications on images.

Along one axis, two neighbouring output positions p read the same four cells u. Direct sums take six
products. The values of polynomials at four points (0, 1, -1 and infinity) take four products:

    y[p] = sum_i x[p + i] w[i] = sum_k A[p,k] z[k]        p = 0, 1, i = 0 .. 2, k = 0 .. 3
    z[k] = X[k] W[k]        X[k] = sum_u B[k,u] x[u]        W[k] = sum_i G[k,i] w[i]

With more axes, each axis is transformed, so an image needs 16 products instead of 36. The sum over
channels is one matrix product for each k. dx is computed from dy by the same functions
(`input_gradient.py`). y is linear in w, so dw applies the transposed steps in reverse order:

    dz = Aᵀ dy        dW = Xᵀ dz        dw = Gᵀ dW

X is 2^rank times as large as x, and z and dz are 2^rank times as large as y. So they are computed
for one tile of examples at a time, in float32 or float64. With more than 2 positions per axis, the
method would need fewer products and lose more bits. With 2 positions, its error is often smaller
than the error of direct sums, and at most 3 times as large.
Source: Lavin & Gray, arXiv:1509.09308.
"""

import math
from functools import partial, reduce

import jax.numpy as jnp
import numpy as np
from jax import lax

from fcnn.ops.contraction import accumulation_dtype, contract
from fcnn.ops.convolution.impl.batch_tiles import map_tiles, sum_tiles
from fcnn.ops.convolution.impl.grouped import each_group
from fcnn.ops.convolution.impl.input_gradient import dx_by
from fcnn.ops.taps import cropped, padded

# The bytes of X or z in a tile of dw; y and dx use 2 * TILE. If W has more bytes than this, a tile
# may have as many bytes as W.
TILE = 2**22

B = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
A = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])
G = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]]) / 2
OUTPUTS, POINTS = A.shape

# A transformed array is a list with one entry for each k of the last axis. An entry is an array
# (k of the other axes, m, c), with m over examples and pairs of positions. The list is short, which
# keeps the program small and its compilation fast.


def forward(x, w, *, geometry, groups):
    return _convolve(x, w, geometry=geometry, groups=groups, over=0)


def dx(w, dy, *, geometry, groups):
    return dx_by(partial(_convolve, over=1), w, dy, geometry=geometry, groups=groups)


def dw(x, dy, *, geometry, groups):
    def of_group(x, dy):
        o = dy.shape[-1]
        most = max(TILE // groups, _bytes_of_kernel(x, o, geometry))
        products = sum_tiles(_products, x, dy, geometry, _bytes_per_example(x, o, geometry), most)
        g = _kernel_transform(len(geometry.size), products.dtype)
        dw = contract(g, products.reshape(g.shape[0], *products.shape[2:]), ((0,), (0,)))
        return dw.reshape(*geometry.window, *dw.shape[1:])

    return each_group(of_group, groups, x, dy)


def unsupported(geometry, groups):
    """The reason why these windows are not supported, or None."""
    if {*geometry.window} == {3} and {*geometry.stride, *geometry.dilation} == {1}:
        return None
    return (
        "supports windows of 3 along every axis, at stride 1 and dilation 1, not windows of "
        f"{geometry.window} at stride {geometry.stride} and dilation {geometry.dilation}; "
        "write impl='auto'"
    )


def _convolve(x, w, *, geometry, groups, over):
    """Convolve x, summing over axis `over` of one tap of w: 0 for channels, 1 for features."""

    def of_group(x, w):
        kernel = w.astype(accumulation_dtype(w.dtype)).reshape(-1, *w.shape[-2:])
        g = _kernel_transform(len(geometry.size), kernel.dtype)
        w_hat = [contract(g, kernel, ((1,), (0,))) for g in jnp.split(g, POINTS)]
        o = w.shape[-1 - over]
        most = max(2 * TILE // groups, _bytes_of_kernel(x, o, geometry))
        return map_tiles(
            partial(_tile, w_hat, over), x, geometry, _bytes_per_example(x, o, geometry), most
        )

    return each_group(of_group, groups, x, w)


def _tile(w_hat, over, x, geometry):
    times = lambda x, w: contract(x, w, ((2,), (1 + over,)), ((0,), (0,)))
    z = list(map(times, _x_hat(x, geometry), w_hat))
    pairs = (x.shape[0], *(-(-m // OUTPUTS) for m in geometry.out))
    z = [a.reshape(a.shape[0], *pairs, a.shape[-1]) for a in z]
    return cropped(_from_points(z), (0,) * len(geometry.size), geometry.out)


def _products(x, dy, geometry):
    """Xᵀ dz for every k: (k of the last axis, k of the other axes, c, o)."""
    times = lambda x, dz: contract(x, dz, ((1,), (1,)), ((0,), (0,)))
    return jnp.stack(list(map(times, _x_hat(x, geometry), _dz(dy, geometry))))


def _x_hat(x, geometry):
    margins = [
        (lo, hi + m % OUTPUTS) for (lo, hi), m in zip(geometry.padding, geometry.out, strict=True)
    ]
    return _at_points(B, padded(x.astype(accumulation_dtype(x.dtype)), margins))


def _dz(dy, geometry):
    margins = [(0, m % OUTPUTS) for m in geometry.out]
    return _at_points(A.T, padded(dy.astype(accumulation_dtype(dy.dtype)), margins))


def _at_points(m, a):
    """Apply m along every spatial axis of a (n, *cells, c), at stride 2."""
    rank, c = a.ndim - 2, a.shape[-1]
    parts = [a[None]]
    for axis in range(2, 2 + rank):
        a = jnp.concatenate(parts)
        end = a.shape[axis] - m.shape[1] + 1
        cells = (lax.slice_in_dim(a, u, u + end, OUTPUTS, axis) for u in range(m.shape[1]))
        parts = _combine(m, list(cells))
    return [part.reshape(part.shape[0], -1, c) for part in parts]


def _from_points(z):
    """Apply A along every spatial axis of z (k, n, *pairs, o): y (n, *positions, o)."""
    parts = z
    for axis in reversed(range(2, z[0].ndim - 1)):
        y = jnp.stack(_combine(A, parts), axis + 1)
        y = y.reshape(*y.shape[:axis], OUTPUTS * y.shape[axis], *y.shape[axis + 2 :])
        parts = jnp.split(y, POINTS) if axis > 2 else [y]
    return parts[0][0]


def _kernel_transform(rank, dtype):
    """The matrix that applies G along every axis of w.

    The rows are numbered by k, with the last axis first. The columns are numbered by i, with the
    first axis first.
    """
    g = np.ones((1, 1))
    for _ in range(rank):
        g = np.einsum("ki,lj->klji", G, g).reshape(POINTS * g.shape[0], -1)
    return jnp.asarray(g, dtype)


def _combine(m, parts):
    """For each row of m, sum `parts` times the entries of the row, which are 0, 1 or -1."""
    each = lambda row: (int(k) * a for k, a in zip(row, parts, strict=True) if k)
    return [reduce(jnp.add, each(row)) for row in m]


def _bytes_per_example(x, o, geometry):
    """The bytes of X or z of one example, whichever is larger."""
    pairs = math.prod(-(-m // OUTPUTS) for m in geometry.out)
    return (
        POINTS ** len(geometry.out)
        * pairs
        * max(x.shape[-1], o)
        * accumulation_dtype(x.dtype).itemsize
    )


def _bytes_of_kernel(x, o, geometry):
    """The bytes of W."""
    return POINTS ** len(geometry.out) * x.shape[-1] * o * accumulation_dtype(x.dtype).itemsize
