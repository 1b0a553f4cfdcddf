"""Convolution by 3×3 windows with a quarter of the multiplications: Winograd's F(4×4, 3×3).

Along one axis, four neighbouring places p read six cells u in all. Polynomials can be multiplied by
multiplying their values at 0, 1, -1, 2, -2 and infinity, six products where the sum asks for 12:

    y[p] = sum_i x[p + i] w[i] = sum_k A[k,p] z[k]        p = 0 .. 3, i = 0 .. 2, k = 0 .. 5
    z[k] = W[k] X[k]        W[k] = sum_i G[k,i] w[i]        X[k] = sum_u B[k,u] x[u]

On an image both axes are transformed, so 36 products stand for 144; sums over channels are taken
among the products, where they are one matrix product for each k. All is linear but W X, so the
gradients are the same steps transposed, in reverse:

    dz = A dy        dX = dz W, dx = Bᵀ dX        dW = X dz, dw = Gᵀ dW

The price is rounding, a few bits more than the plain sum has, so all is kept in float32 at least;
and memory: on CPU that outweighs what is saved, and 64×32×32×64 took twice as long as by "tiled".
Source: Lavin & Gray, arXiv:1509.09308.
"""

import math

import jax.numpy as jnp
import numpy as np

from fcnn.ops.product import contract, wide
from fcnn.ops.window import taps, untap

PLACES = 4  # along an axis of a tile
A = np.array(  # k, p
    [[1, 0, 0, 0], [1, 1, 1, 1], [1, -1, 1, -1], [1, 2, 4, 8], [1, -2, 4, -8], [0, 0, 0, 1]]
)
B = np.array(  # k, u
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
G = (  # k, i
    np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
)

# Tiles are (p, q, m, o) or (u, v, m, c) with m over examples and tiles, products (k, l, m, o).


def forward(x, w, *, at, groups):
    z = contract(_x_hat(x, at), _w_hat(w), ((3,), (2,)), ((0, 1), (0, 1)))
    return _join(_both(A.T, z), at, len(x)).astype(x.dtype)


def dx(w, dy, *, at, groups):
    dz = _both(A, _cut(dy, at))
    dx_hat = contract(dz, _w_hat(w), ((3,), (3,)), ((0, 1), (0, 1)))
    tiles = _tiles(at)
    cells = _both(B.T, dx_hat).reshape(36, len(dy), *tiles.out, w.shape[-2])
    return untap(list(cells), tiles).astype(dy.dtype)


def dw(x, dy, *, at, groups):
    dz = _both(A, _cut(dy, at))
    dw_hat = contract(_x_hat(x, at), dz, ((2,), (2,)), ((0, 1), (0, 1)))
    return _both(G.T, dw_hat).astype(x.dtype)


def refuses(at, groups):
    if (at.window, at.stride, at.dilation, groups) == ((3, 3), (1, 1), (1, 1), 1):
        return None
    return (
        "serves windows of (3, 3) at stride 1, dilation 1 and groups 1, not of "
        f"{at.window} at stride {at.stride}, dilation {at.dilation} and groups {groups}"
    )


def _both(matrix, a):
    """The matrix applied to the first axis of a and to the second."""
    matrix = jnp.asarray(matrix, a.dtype)
    along_second = contract(matrix, a, ((1,), (1,)))
    return contract(matrix, along_second, ((1,), (1,)))


def _w_hat(w):
    return _both(G, w.astype(wide(w.dtype)))


def _x_hat(x, at):
    cells = jnp.stack(taps(x.astype(wide(x.dtype)), _tiles(at)))  # (u, v), n, *tiles, c
    return _both(B, cells.reshape(6, 6, math.prod(cells.shape[1:4]), x.shape[-1]))


def _tiles(at):
    """Where tiles read x: windows of 6 cells, 4 apart, the last ones filled up with zeros."""
    axes = zip(at.padding, at.out, strict=True)
    padding = tuple((lo, hi + -m % PLACES) for (lo, hi), m in axes)
    return at._replace(window=(6, 6), stride=(PLACES, PLACES), padding=padding)


def _cut(dy, at):
    """dy (n, *out, o) as tiles."""
    n, *_, o = dy.shape
    h, w = _tiles(at).out
    dy = jnp.pad(dy.astype(wide(dy.dtype)), [(0, 0), *((0, -m % PLACES) for m in at.out), (0, 0)])
    dy = dy.reshape(n, h, PLACES, w, PLACES, o).transpose(2, 4, 0, 1, 3, 5)
    return dy.reshape(PLACES, PLACES, n * h * w, o)


def _join(y, at, n):
    """Tiles as y (n, *out, o)."""
    h, w = _tiles(at).out
    y = y.reshape(PLACES, PLACES, n, h, w, y.shape[-1]).transpose(2, 3, 0, 4, 1, 5)
    y = y.reshape(n, h * PLACES, w * PLACES, y.shape[-1])
    return y[:, : at.out[0], : at.out[1]]
