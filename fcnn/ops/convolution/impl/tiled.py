"""Convolution by rows: im2col along the last axis alone, and tile by tile.

With i the tap along all other axes and j along the last, and one axis of each,

    rows[n,u,q,(j,c)] = x[n, u, s q + d j - lo, c]
    y[n,p,q,o] = sum_i rows[n, s p + d i - lo, q] . w[i]      a product for every i, all added

Rows are as often as large as x as the window is wide, where im2col's are prod(window) times, and a
tile's stay in the cache until they have been read. dx is such a sum of dy (`input_gradient.py`), and

    dw[i] = sum_{n,p,q} rows[n, s p + d i - lo, q] dy[n,p,q]
"""

import math
from functools import partial, reduce

import jax.numpy as jnp

from fcnn.ops.contraction import contract_wide
from fcnn.ops.convolution.impl.batch_tiles import mapped, summed
from fcnn.ops.convolution.impl.grouped import each_group
from fcnn.ops.convolution.impl.input_gradient import dx_by
from fcnn.ops.window import taps

TILE = 2**21  # bytes of rows


def forward(x, w, *, at, groups):
    return _convolved(x, w, at=at, groups=groups, over=-2)


def dx(w, dy, *, at, groups):
    return dx_by(partial(_convolved, over=-1), w, dy, at=at, groups=groups)


def dw(x, dy, *, at, groups):
    def of_tile(x, dy, at):
        products = [contract_wide(_flat(dy), _flat(a), ((0,), (0,))) for a in _parts(x, at)]
        dw = jnp.stack(products).swapaxes(1, 2)  # i, (j, c), o
        return dw.reshape(*at.window, x.shape[-1], dy.shape[-1])

    of_group = lambda x, dy: summed(of_tile, x, dy, at, _bytes(x, at), TILE // groups)
    return each_group(of_group, groups, x, dy)


def _convolved(x, w, *, at, groups, over):
    """The sum over taps, channels of x and w's axis `over`: its channels, -2, or features, -1."""

    def of_group(x, w):
        kernel = jnp.moveaxis(w, over, -2)
        kernel = kernel.reshape(-1, at.window[-1] * x.shape[-1], kernel.shape[-1])  # i, (j, c), o

        def of_tile(x, at):
            each = zip(_parts(x, at), kernel, strict=True)
            y = reduce(jnp.add, (contract_wide(_flat(a), k, ((1,), (0,))) for a, k in each))
            return y.reshape(x.shape[0], *at.out, y.shape[-1])

        return mapped(of_tile, x, at, _bytes(x, at), TILE // groups)

    return each_group(of_group, groups, x, w)


def _parts(x, at):
    """What each tap along the other axes reads of the rows: (n, *out, (j, c)) each."""
    along, across = _split(at)
    return taps(jnp.concatenate(taps(x, along), -1), across)


def _flat(a):
    """All places of all examples as one axis; products of matrices are the fastest so."""
    return a.reshape(-1, a.shape[-1])


def _split(at):
    """The windows that read along the last axis, and those that read the rows of these."""
    one, plain = (1,), ((0, 0),)
    rest = len(at.size) - 1
    along = at._replace(
        window=one * rest + at.window[-1:],
        stride=one * rest + at.stride[-1:],
        dilation=one * rest + at.dilation[-1:],
    )
    across = at._replace(
        size=along.out,
        window=at.window[:-1] + one,
        stride=at.stride[:-1] + one,
        dilation=at.dilation[:-1] + one,
        padding=plain * len(at.size),
    )
    return along, across


def _bytes(x, at):
    return math.prod(_split(at)[0].out) * at.window[-1] * x.shape[-1] * x.dtype.itemsize
