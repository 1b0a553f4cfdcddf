"""Convolution by 3×3 windows with 4/9 of the multiplications: Winograd's F(2×2, 3×3).

Along one axis, two neighbouring places p read four cells u in all. Polynomials can be multiplied by
multiplying their values at 0, 1, -1 and infinity, four products where the sum asks for six:

    y[p] = sum_i x[p + i] w[i] = sum_k A[p,k] z[k]        p = 0, 1, i = 0 .. 2, k = 0 .. 3
    z[k] = X[k] W[k]        X[k] = sum_u B[k,u] x[u]        W[k] = sum_i G[k,i] w[i]

With more axes each is transformed, so on an image 16 products stand for 36; sums over channels are
taken among the products, where they are one matrix product for each k. dx is such a convolution of
dy (`adjoint.py`). All is linear but the product, so dw is the same steps transposed, in reverse:

    dz = Aᵀ dy        dW = Xᵀ dz        dw = Gᵀ dW

The rows of A, B and G are written out below, with 0 and 1 left away. X, dz and z are 2^rank times
as large as x and y, so they are made tile by tile; all is kept in float32 at least. Larger tiles
than 2 places would need fewer products, and lose more bits; these err at most 3 times as far as
direct sums do, and often less.
Source: Lavin & Gray, arXiv:1509.09308.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp

from fcnn.ops.convolution.adjoint import dx_by
from fcnn.ops.convolution.groups import each_group
from fcnn.ops.convolution.tiles import mapped, summed
from fcnn.ops.product import contract, wide
from fcnn.ops.window import Windows, cropped, taps, weave

TILE = 2**22  # bytes of X, or of z, for dw; y's are twice as large, and none less than W is
PLACES = 2  # along an axis
Rows = Sequence[Callable]

B: Rows = (
    lambda a, b, c, d: a - c,
    lambda a, b, c, d: b + c,
    lambda a, b, c, d: c - b,
    lambda a, b, c, d: b - d,
)
A: Rows = (lambda a, b, c, d: a + b + c, lambda a, b, c, d: b - c - d)
AT: Rows = (lambda a, b: a, lambda a, b: a + b, lambda a, b: a - b, lambda a, b: -b)
G: Rows = (
    lambda a, b, c: a,
    lambda a, b, c: (a + b + c) / 2,
    lambda a, b, c: (a - b + c) / 2,
    lambda a, b, c: c,
)
GT: Rows = (
    lambda a, b, c, d: a + (b + c) / 2,
    lambda a, b, c, d: (b - c) / 2,
    lambda a, b, c, d: d + (b + c) / 2,
)


def forward(x, w, *, at, groups):
    return _convolved(x, w, at=at, groups=groups, over=0)


def dx(w, dy, *, at, groups):
    return dx_by(partial(_convolved, over=1), w, dy, at=at, groups=groups)


def dw(x, dy, *, at, groups):
    def of_group(x, dy):
        o = dy.shape[-1]
        most = max(TILE // groups, _bytes_of_w(x, o, at))
        products = summed(partial(_products, at=at), x, dy, _bytes(x, o, at), most)
        dw = _each_axis(GT, _nested(list(products), len(at.size)))
        return jnp.stack(jax.tree.leaves(dw)).reshape(*at.window, *products.shape[1:])

    return each_group(of_group, groups, x, dy).astype(x.dtype)


def refuses(at, groups):
    if {*at.window} == {3} and {*at.stride, *at.dilation} == {1}:
        return None
    return (
        "serves windows of 3 along every axis, at stride 1 and dilation 1, not of "
        f"{at.window} at stride {at.stride} and dilation {at.dilation}"
    )


def _convolved(x, w, *, at, groups, over):
    """The sum over the channels of x and w's axis `over`: 0, its channels, or 1, its features."""

    def of_group(x, w):
        kernel = list(w.astype(wide(w.dtype)).reshape(-1, *w.shape[-2:]))
        w_hat = _each_axis(G, _nested(kernel, len(at.size)))
        o = w.shape[-1 - over]
        most = max(2 * TILE // groups, _bytes_of_w(x, o, at))
        return mapped(partial(_tile, w_hat, at, over), x, _bytes(x, o, at), most)

    return each_group(of_group, groups, x, w).astype(x.dtype)


def _tile(w_hat, at, over, x):
    times = lambda x, w: contract(_flat(x), w, ((1,), (over,)))
    z = jax.tree.map(times, _x_hat(x, at), w_hat)
    tiles = (len(x), *(-(-m // PLACES) for m in at.out))
    y = [y.reshape(*tiles, y.shape[-1]) for y in jax.tree.leaves(_each_axis(A, z))]
    each = itertools.product(range(PLACES), repeat=len(at.size))
    cells = weave(dict(zip(each, y, strict=True)), (PLACES,) * len(at.size))
    return cropped(cells, (0,) * len(at.size), at.out)


def _products(x, dy, *, at):
    """Xᵀ dz for every k: (4^rank, c, o)."""
    times = lambda x, dz: contract(_flat(x), _flat(dz), ((0,), (0,)))
    return jnp.stack(jax.tree.leaves(jax.tree.map(times, _x_hat(x, at), _dz(dy, at))))


def _flat(a):
    """All places of all examples as one axis; products of matrices are the fastest so."""
    return a.reshape(-1, a.shape[-1])


def _x_hat(x, at):
    cells = taps(x.astype(wide(x.dtype)), _tiles(at, 4, at.size, at.padding))
    return _each_axis(B, _nested(cells, len(at.size)))


def _dz(dy, at):
    cells = taps(dy.astype(wide(dy.dtype)), _tiles(at, PLACES, at.out, ((0, 0),) * len(at.out)))
    return _each_axis(AT, _nested(cells, len(at.size)))


def _tiles(at, window, size, padding):
    """Windows of so many cells, one for every two places; an odd place out is filled up with 0."""
    padding = tuple((lo, hi + m % PLACES) for (lo, hi), m in zip(padding, at.out, strict=True))
    each = lambda a: (a,) * len(size)
    return Windows(size, each(window), each(PLACES), each(1), padding, each(0))


def _each_axis(rows, parts):
    """The rows applied to nested lists along every axis, innermost first."""
    if not isinstance(parts, list):
        return parts
    parts = [_each_axis(rows, part) for part in parts]
    return [jax.tree.map(row, *parts) for row in rows]


def _nested(parts, rank):
    """A list in row-major order as lists in lists, `rank` deep."""
    if rank == 1:
        return parts
    length = round(len(parts) ** (1 / rank))
    inner = len(parts) // length
    return [_nested(parts[i : i + inner], rank - 1) for i in range(0, len(parts), inner)]


def _bytes(x, o, at):
    """What X or z of one example takes, whichever is larger."""
    tiles = math.prod(-(-m // PLACES) for m in at.out)
    return 4 ** len(at.out) * tiles * max(x.shape[-1], o) * wide(x.dtype).itemsize


def _bytes_of_w(x, o, at):
    return 4 ** len(at.out) * x.shape[-1] * o * wide(x.dtype).itemsize
