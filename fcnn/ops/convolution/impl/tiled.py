"""Convolution by im2col along the last axis only, in tiles that fit the cache.

Along the last axis, q is the output position and j the tap. Along the other axes, u is the cell of
x, p the output position and i the tap. Each axis has stride s, dilation d and low padding lo:

    rows[n,u,q,(j,c)] = x[n, u, s q + d j - lo, c]
    y[n,p,q,o] = sum_i rows[n, s p + d i - lo, q] . w[i]      a matrix product for every i

At stride 1 the rows are window[-1] times as large as x. The rows of im2col are prod(window) times
as large. The rows of a tile stay in the cache until they are read. dx is computed from dy by the
same functions (`input_gradient.py`), and

    dw[i] = sum_{n,p,q} rows[n, s p + d i - lo, q] dy[n,p,q]
"""

import math
from functools import partial, reduce

import jax.numpy as jnp

from fcnn.ops.contraction import contract_wide
from fcnn.ops.convolution.impl.batch_tiles import map_tiles, sum_tiles
from fcnn.ops.convolution.impl.grouped import each_group
from fcnn.ops.convolution.impl.input_gradient import dx_by
from fcnn.ops.taps import taps

TILE = 2**21  # bytes of the rows of a tile


def forward(x, w, *, geometry, groups):
    return _convolve(x, w, geometry=geometry, groups=groups, over=-2)


def dx(w, dy, *, geometry, groups):
    return dx_by(partial(_convolve, over=-1), w, dy, geometry=geometry, groups=groups)


def dw(x, dy, *, geometry, groups):
    def of_tile(x, dy, geometry):
        products = [contract_wide(_flat(dy), _flat(a), ((0,), (0,))) for a in _parts(x, geometry)]
        dw = jnp.stack(products).swapaxes(1, 2)  # i, (j, c), o
        return dw.reshape(*geometry.window, x.shape[-1], dy.shape[-1])

    of_group = lambda x, dy: sum_tiles(
        of_tile, x, dy, geometry, _bytes_per_example(x, geometry), TILE // groups
    )
    return each_group(of_group, groups, x, dy)


def _convolve(x, w, *, geometry, groups, over):
    """Convolve x, summing over axis `over` of w: -2 for channels, -1 for features."""

    def of_group(x, w):
        kernel = jnp.moveaxis(w, over, -2)
        kernel = kernel.reshape(
            -1, geometry.window[-1] * x.shape[-1], kernel.shape[-1]
        )  # i, (j, c), o

        def of_tile(x, geometry):
            each = zip(_parts(x, geometry), kernel, strict=True)
            y = reduce(jnp.add, (contract_wide(_flat(a), k, ((1,), (0,))) for a, k in each))
            return y.reshape(x.shape[0], *geometry.out, y.shape[-1])

        return map_tiles(of_tile, x, geometry, _bytes_per_example(x, geometry), TILE // groups)

    return each_group(of_group, groups, x, w)


def _parts(x, geometry):
    """The rows that each tap along the other axes reads: arrays (n, *out, (j, c))."""
    along, across = _split_windows(geometry)
    return taps(jnp.concatenate(taps(x, along), -1), across)


def _flat(a):
    """Merge examples and positions into one axis, for fast matrix products."""
    return a.reshape(-1, a.shape[-1])


def _split_windows(geometry):
    """The windows on x along the last axis, and the windows on the rows along the other axes."""
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


def _bytes_per_example(x, geometry):
    return (
        math.prod(_split_windows(geometry)[0].out)
        * geometry.window[-1]
        * x.shape[-1]
        * x.dtype.itemsize
    )
