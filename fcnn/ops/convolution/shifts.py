"""Convolution tap by tap: shift the image, multiply by that tap's matrix, add up.

With x_i what tap i reads of x at every place, and w_i its matrix of channels by features,

    y = sum_i x_i w_i        dx_i = dy w_iᵀ, put back where tap i reads        dw_i = x_iᵀ dy

No patch is ever written. Where a group has one channel in and one out (depthwise), the product is
one of numbers, place by place. dw reads x and dy once for every tap, so it goes tile by tile.
Sums over taps are kept in float32 when the arrays are shorter.
"""

import math
from functools import reduce

import jax.numpy as jnp

from fcnn.ops.convolution.tiles import dw_by
from fcnn.ops.product import contract, wide
from fcnn.ops.window import taps, untap

# Arrays are (m, g, c) or (m, g, o) with m over n and p, kernels (i, c, g, o).


def forward(x, w, *, at, groups):
    parts, kernels = _parts(x, at, groups), _kernels(w, groups)
    y = reduce(jnp.add, map(_times, parts, kernels))
    return y.reshape(len(x), *at.out, w.shape[-1]).astype(x.dtype)


def dx(w, dy, *, at, groups):
    split, kernels = _split(dy, groups), _kernels(w, groups)
    image = lambda part: part.reshape(len(dy), *at.out, groups * w.shape[-2])
    return untap([image(_times(split, k.T)) for k in kernels], at).astype(dy.dtype)


def dw(x, dy, *, at, groups):
    def of_tile(x, dy):
        split = _split(dy, groups)
        dw = jnp.stack([_over_places(part, split) for part in _parts(x, at, groups)])
        return dw.reshape(*at.window, dw.shape[1], dy.shape[-1])

    return dw_by(of_tile, x, dy, at=at)


def _times(a, k):
    """a (m, g, c) times k (c, g, o), group by group: (m, g, o)."""
    if k.shape[0] == k.shape[2] == 1:
        return a * k.reshape(1, -1, 1)
    return jnp.moveaxis(contract(a, k, ((2,), (0,)), ((1,), (1,))), 0, 1)


def _over_places(a, dy):
    """The sum over m of a (m, g, c) times dy (m, g, o): (c, g, o)."""
    if a.shape[2] == dy.shape[2] == 1:
        ones = jnp.ones(len(a), a.dtype)
        return contract(ones, a * dy, ((0,), (0,))).reshape(1, -1, 1)
    return jnp.moveaxis(contract(a, dy, ((0,), (0,)), ((1,), (1,))), 0, 1)


def _parts(x, at, groups):
    return [_split(part, groups) for part in taps(x, at)]


def _split(a, groups):
    """a (n, *p, c) as (m, g, c of one group)."""
    m = math.prod(a.shape[:-1])
    return a.reshape(m, groups, a.shape[-1] // groups).astype(wide(a.dtype))


def _kernels(w, groups):
    w = w.reshape(-1, w.shape[-2], groups, w.shape[-1] // groups)
    return list(w.astype(wide(w.dtype)))
