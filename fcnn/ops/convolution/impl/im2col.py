"""Convolution by explicit im2col: each of y, dW and dx is one matrix product.

    y = rows W        dW = rowsᵀ dy        dx = col2im(dy Wᵀ)

W is the kernel as a matrix W[(i,c),o]. In the code, rows have shape (m, i, g, c) and kernels have
shape (i, c, g, o), where m runs over n and p, and g over groups.
"""

import math

import jax.numpy as jnp

from fcnn.ops.contraction import contract_wide
from fcnn.ops.convolution.im2col import image_to_rows, rows_to_image


def forward(x, w, *, geometry, groups):
    y = contract_wide(
        _split_rows(x, geometry, groups), _split_kernel(w, groups), ((1, 3), (0, 1)), ((2,), (2,))
    )
    y = jnp.moveaxis(y, 0, 1)  # g, m, o -> m, g, o
    return y.reshape(x.shape[0], *geometry.out, w.shape[-1])


def dx(w, dy, *, geometry, groups):
    dy_split = dy.reshape(-1, groups, dy.shape[-1] // groups)  # m, g, o
    over, batch = ((2,), (3,)), ((1,), (2,))
    drows = contract_wide(dy_split, _split_kernel(w, groups), over, batch)  # g, m, i, c
    k = math.prod(geometry.window) * groups * w.shape[-2]
    drows = jnp.moveaxis(drows, 0, 2).reshape(*dy.shape[:-1], k)
    return rows_to_image(drows, geometry)


def dw(x, dy, *, geometry, groups):
    dy = dy.reshape(-1, groups, dy.shape[-1] // groups)  # m, g, o
    dw = contract_wide(
        _split_rows(x, geometry, groups), dy, ((0,), (0,)), ((2,), (1,))
    )  # g, i, c, o
    return jnp.moveaxis(dw, 0, 2).reshape(*geometry.window, dw.shape[2], groups * dy.shape[-1])


def _split_rows(x, geometry, groups):
    m, i = x.shape[0] * math.prod(geometry.out), math.prod(geometry.window)
    return image_to_rows(x, geometry).reshape(m, i, groups, x.shape[-1] // groups)


def _split_kernel(w, groups):
    return w.reshape(-1, w.shape[-2], groups, w.shape[-1] // groups)
