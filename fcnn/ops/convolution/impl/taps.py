"""Convolution as a sum over taps: shift the image, multiply by the matrix of the tap, add.

With x_i the cells of x that tap i reads, and w_i the channels-by-features matrix of tap i,

    y = sum_i x_i w_i        dx_i = dy w_iᵀ, added to the cells of x_i        dw_i = x_iᵀ dy

No copies of windows are written to memory, except for dx with few channels, where dy w_iᵀ of all
taps is about as large as dy. If a sum is over few channels of a group, as in depthwise convolution
and in the first layer of a network, the channels are multiplied one by one, and XLA fuses all taps
into one loop. Then dx is a forward convolution of dy too (`input_gradient.py`), because one loop
over all taps is up to 8 times as fast as adding one dx_i after the other; at stride 2, windows of 3
are an exception. dw reads x and dy once per tap, so it is computed tile by tile, and for depthwise
convolution of images at stride 1 block by block (`depthwise.py`). Sums over taps are in the
accumulation dtype.
"""

import math
from functools import partial, reduce

import jax.numpy as jnp

from fcnn.ops.contraction import accumulation_dtype, contract
from fcnn.ops.convolution.impl import depthwise
from fcnn.ops.convolution.impl.batch_tiles import sum_tiles
from fcnn.ops.convolution.impl.grouped import exchange
from fcnn.ops.convolution.impl.input_gradient import dx_by
from fcnn.ops.taps import taps, taps_adjoint

TILE = 2**21  # bytes of a tile of x or of dy, whichever is larger
FEW_CHANNELS = 4  # up to this many channels of a group are multiplied one by one
# Largest number of examples in a tile of a depthwise dw. Larger tiles are slower to compile, and do
# not make dw faster.
MAX_EXAMPLES = 4

# Arrays are (m, g, c) or (m, g, o), with m over n and p, g groups; kernels are (i, c, g, o).


def forward(x, w, *, geometry, groups):
    parts = [_split(part, groups) for part in taps(x, geometry)]
    y = reduce(jnp.add, map(_times, parts, _kernels(w, groups)))
    return y.reshape(x.shape[0], *geometry.out, w.shape[-1])


def dx(w, dy, *, geometry, groups):
    if 1 < groups and w.shape[-1] // groups <= FEW_CHANNELS:
        if max(geometry.stride) == 1 or math.prod(geometry.window) > 9:
            over_features = lambda dy, w, **options: forward(dy, exchange(w, groups), **options)
            return dx_by(over_features, w, dy, geometry=geometry, groups=groups)
    split, kernels = _split(dy, groups), _kernels(w, groups)
    c, _, o = kernels[0].shape
    if c <= FEW_CHANNELS < o:  # all taps in one product, which reads dy once
        parts = contract(split, jnp.stack(kernels), ((2,), (3,)), ((1,), (2,)))  # g, m, i, c
        parts = [jnp.moveaxis(parts[:, :, i], 0, 1) for i in range(len(kernels))]
    else:
        parts = [_times(split, k.T) for k in kernels]
    image = lambda part: part.reshape(dy.shape[0], *geometry.out, groups * c)
    return taps_adjoint([image(part) for part in parts], geometry)


def dw(x, dy, *, geometry, groups):
    is_depthwise = x.shape[-1] == dy.shape[-1] == groups
    if is_depthwise and depthwise.fits(geometry, groups):
        return depthwise.dw(x, dy, geometry)
    over_positions = (
        _over_positions_depthwise if is_depthwise else partial(_over_positions, groups=groups)
    )

    def of_tile(x, dy, geometry):
        x, dy = x.astype(accumulation_dtype(x.dtype)), dy.astype(accumulation_dtype(dy.dtype))
        dw = jnp.stack([over_positions(part, dy) for part in taps(x, geometry)])
        return dw.reshape(*geometry.window, -1, dy.shape[-1])

    bytes_each = max(math.prod(x.shape[1:]), math.prod(dy.shape[1:])) * x.dtype.itemsize
    most = min(TILE, MAX_EXAMPLES * bytes_each) if is_depthwise else TILE
    return sum_tiles(of_tile, x, dy, geometry, bytes_each, most)


def _times(a, k):
    """a (m, g, c) times k (c, g, o), group by group: (m, g, o)."""
    if len(k) <= FEW_CHANNELS:
        return reduce(jnp.add, (a[:, :, c, None] * k[None, c] for c in range(len(k))))
    return jnp.moveaxis(contract(a, k, ((2,), (0,)), ((1,), (1,))), 0, 1)


def _over_positions(a, dy, groups):
    """The sum over n and p of a (n, *p, (g, c)) times dy (n, *p, (g, o)): (c, g, o)."""
    if groups == 1:  # faster without an axis of groups
        a, dy = (each.reshape(-1, each.shape[-1]) for each in (a, dy))
        return contract(a, dy, ((0,), (0,)))[:, None]
    a, dy = _split(a, groups), _split(dy, groups)
    return jnp.moveaxis(contract(a, dy, ((0,), (0,)), ((1,), (1,))), 0, 1)


def _over_positions_depthwise(a, dy):
    """The sum over n and p of a (n, *p, c) times dy (n, *p, c), for depthwise convolution: (c,).

    The sum over examples comes first and is unrolled, so that no product is written to memory. With
    a symbolic number of examples the sum is not unrolled: the product of the whole tile is written.
    """
    n = a.shape[0]
    if isinstance(n, int) and n > 0:
        a = reduce(jnp.add, (a * dy for a, dy in zip(a, dy, strict=True)))
    else:
        a = a * dy
    a = a.reshape(-1, a.shape[-1])
    return contract(jnp.ones(a.shape[0], a.dtype), a, ((0,), (0,)))


def _split(a, groups):
    """a (n, *p, c) as (m, g, c of one group)."""
    m = math.prod(a.shape[:-1])
    return a.reshape(m, groups, a.shape[-1] // groups).astype(accumulation_dtype(a.dtype))


def _kernels(w, groups):
    w = w.reshape(-1, w.shape[-2], groups, w.shape[-1] // groups)
    return list(w.astype(accumulation_dtype(w.dtype)))
