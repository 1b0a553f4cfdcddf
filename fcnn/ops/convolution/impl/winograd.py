"""Convolution by 3×3 windows with 4/9 of the multiplications: Winograd's F(2×2, 3×3).

Along one axis, two neighbouring places p read four cells u in all. Polynomials can be multiplied by
multiplying their values at 0, 1, -1 and infinity, four products where the sum asks for six:

    y[p] = sum_i x[p + i] w[i] = sum_k A[p,k] z[k]        p = 0, 1, i = 0 .. 2, k = 0 .. 3
    z[k] = X[k] W[k]        X[k] = sum_u B[k,u] x[u]        W[k] = sum_i G[k,i] w[i]

With more axes each is transformed, so on an image 16 products stand for 36; sums over channels are
taken among the products, where they are one matrix product for each k. dx is such a convolution of
dy (`input_gradient`). All is linear but the product, so dw is the same steps, transposed, in
reverse:

    dz = Aᵀ dy        dW = Xᵀ dz        dw = Gᵀ dW

X, dz and z are 2^rank times as large as x and y, so they are made tile by tile; all is kept in
float32 at least. Larger tiles than 2 places would need fewer products, and lose more bits; these
err at most 3 times as far as direct sums do, and often less.
Source: Lavin & Gray, arXiv:1509.09308.
"""

import math
from functools import partial, reduce

import jax.numpy as jnp
import numpy as np
from jax import lax

from fcnn.ops.contraction import accumulation_dtype, contract
from fcnn.ops.convolution.impl.batch_tiles import mapped, summed
from fcnn.ops.convolution.impl.grouped import each_group
from fcnn.ops.convolution.impl.input_gradient import dx_by
from fcnn.ops.window import cropped, padded

TILE = 2**22  # bytes of X, or of z, for dw; y's are twice as large, and none less than W is

B = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
A = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])
G = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]]) / 2
PLACES, POINTS = A.shape

# What is transformed is a list over the last axis's k of arrays (k of the other axes, m, c), m over
# examples and pairs of places. They are few, as XLA compiles a program for each.


def forward(x, w, *, geometry, groups):
    return _convolved(x, w, geometry=geometry, groups=groups, over=0)


def dx(w, dy, *, geometry, groups):
    return dx_by(partial(_convolved, over=1), w, dy, geometry=geometry, groups=groups)


def dw(x, dy, *, geometry, groups):
    def of_group(x, dy):
        o = dy.shape[-1]
        most = max(TILE // groups, _bytes_of_w(x, o, geometry))
        products = summed(_products, x, dy, geometry, _bytes(x, o, geometry), most)
        g = _on_w(len(geometry.size), products.dtype)
        dw = contract(g, products.reshape(g.shape[0], *products.shape[2:]), ((0,), (0,)))
        return dw.reshape(*geometry.window, *dw.shape[1:])

    return each_group(of_group, groups, x, dy)


def refuses(geometry, groups):
    if {*geometry.window} == {3} and {*geometry.stride, *geometry.dilation} == {1}:
        return None
    return (
        "serves windows of 3 along every axis, at stride 1 and dilation 1, not of "
        f"{geometry.window} at stride {geometry.stride} and dilation {geometry.dilation}"
    )


def _convolved(x, w, *, geometry, groups, over):
    """The sum over the channels of x and w's axis `over`: 0, its channels, or 1, its features."""

    def of_group(x, w):
        kernel = w.astype(accumulation_dtype(w.dtype)).reshape(-1, *w.shape[-2:])
        g = _on_w(len(geometry.size), kernel.dtype)
        w_hat = [contract(g, kernel, ((1,), (0,))) for g in jnp.split(g, POINTS)]
        o = w.shape[-1 - over]
        most = max(2 * TILE // groups, _bytes_of_w(x, o, geometry))
        return mapped(partial(_tile, w_hat, over), x, geometry, _bytes(x, o, geometry), most)

    return each_group(of_group, groups, x, w)


def _tile(w_hat, over, x, geometry):
    times = lambda x, w: contract(x, w, ((2,), (1 + over,)), ((0,), (0,)))
    z = list(map(times, _x_hat(x, geometry), w_hat))
    pairs = (x.shape[0], *(-(-m // PLACES) for m in geometry.out))
    z = [a.reshape(a.shape[0], *pairs, a.shape[-1]) for a in z]
    return cropped(_from_points(z), (0,) * len(geometry.size), geometry.out)


def _products(x, dy, geometry):
    """Xᵀ dz for every k: (k of the last axis, k of the others, c, o)."""
    times = lambda x, dz: contract(x, dz, ((1,), (1,)), ((0,), (0,)))
    return jnp.stack(list(map(times, _x_hat(x, geometry), _dz(dy, geometry))))


def _x_hat(x, geometry):
    margins = [
        (lo, hi + m % PLACES) for (lo, hi), m in zip(geometry.padding, geometry.out, strict=True)
    ]
    return _at_points(B, padded(x.astype(accumulation_dtype(x.dtype)), margins))


def _dz(dy, geometry):
    margins = [(0, m % PLACES) for m in geometry.out]
    return _at_points(A.T, padded(dy.astype(accumulation_dtype(dy.dtype)), margins))


def _at_points(m, a):
    """m applied along every axis of a (n, *cells, c), from every second cell on."""
    rank, c = a.ndim - 2, a.shape[-1]
    parts = [a[None]]
    for axis in range(2, 2 + rank):
        a = jnp.concatenate(parts)
        end = a.shape[axis] - m.shape[1] + 1
        cells = (lax.slice_in_dim(a, u, u + end, PLACES, axis) for u in range(m.shape[1]))
        parts = _combined(m, list(cells))
    return [part.reshape(part.shape[0], -1, c) for part in parts]


def _from_points(z):
    """A applied along every axis of the z (k, n, *pairs, o): y (n, *places, o)."""
    parts = z
    for axis in reversed(range(2, z[0].ndim - 1)):
        y = jnp.stack(_combined(A, parts), axis + 1)
        y = y.reshape(*y.shape[:axis], PLACES * y.shape[axis], *y.shape[axis + 2 :])
        parts = jnp.split(y, POINTS) if axis > 2 else [y]
    return parts[0][0]


def _on_w(rank, dtype):
    """G along every axis of w: (k of the last axis to the first, i of the first to the last)."""
    g = np.ones((1, 1))
    for _ in range(rank):
        g = np.einsum("ki,lj->klji", G, g).reshape(POINTS * g.shape[0], -1)
    return jnp.asarray(g, dtype)


def _combined(m, parts):
    """The sum of parts that each row of m, of 0, 1 and -1, tells."""
    each = lambda row: (int(k) * a for k, a in zip(row, parts, strict=True) if k)
    return [reduce(jnp.add, each(row)) for row in m]


def _bytes(x, o, geometry):
    """What X or z of one example takes, whichever is larger."""
    pairs = math.prod(-(-m // PLACES) for m in geometry.out)
    return (
        POINTS ** len(geometry.out)
        * pairs
        * max(x.shape[-1], o)
        * accumulation_dtype(x.dtype).itemsize
    )


def _bytes_of_w(x, o, geometry):
    return POINTS ** len(geometry.out) * x.shape[-1] * o * accumulation_dtype(x.dtype).itemsize
