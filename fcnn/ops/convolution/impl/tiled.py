"""Convolution by rows: im2col along the last axis alone, and tile by tile.

With i the tap along all other axes and j along the last, and one axis of each,

    rows[n,u,q,(j,c)] = x[n, u, s q + d j - lo, c]
    y[n,p,q,o] = sum_i rows[n, s p + d i - lo, q] . w[i]      a product for every i, all added

Rows are as often as large as x as the window is wide, where im2col's are prod(window) times, and a
tile's stay in the cache until they have been read. dx is such a sum of dy (`input_gradient`), and

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


def forward(x, w, *, geometry, groups):
    return _convolved(x, w, geometry=geometry, groups=groups, over=-2)


def dx(w, dy, *, geometry, groups):
    return dx_by(partial(_convolved, over=-1), w, dy, geometry=geometry, groups=groups)


def dw(x, dy, *, geometry, groups):
    def of_tile(x, dy, geometry):
        products = [contract_wide(_flat(dy), _flat(a), ((0,), (0,))) for a in _parts(x, geometry)]
        dw = jnp.stack(products).swapaxes(1, 2)  # i, (j, c), o
        return dw.reshape(*geometry.window, x.shape[-1], dy.shape[-1])

    of_group = lambda x, dy: summed(of_tile, x, dy, geometry, _bytes(x, geometry), TILE // groups)
    return each_group(of_group, groups, x, dy)


def _convolved(x, w, *, geometry, groups, over):
    """The sum over taps, channels of x and w's axis `over`: its channels, -2, or features, -1."""

    def of_group(x, w):
        kernel = jnp.moveaxis(w, over, -2)
        kernel = kernel.reshape(
            -1, geometry.window[-1] * x.shape[-1], kernel.shape[-1]
        )  # i, (j, c), o

        def of_tile(x, geometry):
            each = zip(_parts(x, geometry), kernel, strict=True)
            y = reduce(jnp.add, (contract_wide(_flat(a), k, ((1,), (0,))) for a, k in each))
            return y.reshape(x.shape[0], *geometry.out, y.shape[-1])

        return mapped(of_tile, x, geometry, _bytes(x, geometry), TILE // groups)

    return each_group(of_group, groups, x, w)


def _parts(x, geometry):
    """What each tap along the other axes reads of the rows: (n, *out, (j, c)) each."""
    along, across = _split(geometry)
    return taps(jnp.concatenate(taps(x, along), -1), across)


def _flat(a):
    """All places of all examples as one axis; products of matrices are the fastest so."""
    return a.reshape(-1, a.shape[-1])


def _split(geometry):
    """The windows that read along the last axis, and those that read the rows of these."""
    one, plain = (1,), ((0, 0),)
    rest = len(geometry.size) - 1
    along = geometry._replace(
        window=one * rest + geometry.window[-1:],
        stride=one * rest + geometry.stride[-1:],
        dilation=one * rest + geometry.dilation[-1:],
    )
    across = geometry._replace(
        size=along.out,
        window=geometry.window[:-1] + one,
        stride=geometry.stride[:-1] + one,
        dilation=geometry.dilation[:-1] + one,
        padding=plain * len(geometry.size),
    )
    return along, across


def _bytes(x, geometry):
    return math.prod(_split(geometry)[0].out) * geometry.window[-1] * x.shape[-1] * x.dtype.itemsize
