"""Convolution and its two gradients as three XLA convolutions.

XLA tunes its convolutions for each device. dx is the correlation of dy, dilated by the stride, with
the flipped kernel. dw is the correlation of x with dy, in which stride and dilation are exchanged,
and batch and channels are exchanged.
"""

import jax.numpy as jnp
from jax import lax

from fcnn.ops.contraction import accumulation_dtype


def forward(x, w, *, geometry, groups):
    r = len(geometry.size)
    image, kernel = (0, r + 1, *range(1, r + 1)), (r + 1, r, *range(r))
    return _conv(
        x,
        w,
        (image, kernel, image),
        stride=geometry.stride,
        padding=geometry.padding,
        rhs_dilation=geometry.dilation,
        feature_group_count=groups,
    )


def dx(w, dy, *, geometry, groups):
    r = len(geometry.size)
    image, kernel = (0, r + 1, *range(1, r + 1)), (r, r + 1, *range(r))
    c, o = w.shape[-2], w.shape[-1] // groups  # of one group
    w = jnp.flip(w, range(r)).reshape(*geometry.window, c, groups, o)
    w = w.swapaxes(-3, -2).reshape(*geometry.window, groups * c, o)
    margins = tuple(
        (k - 1 - lo, n + lo - span)
        for k, (lo, _), n, span in zip(
            geometry.effective_window, geometry.padding, geometry.size, geometry.span, strict=True
        )
    )
    return _conv(
        dy,
        w,
        (image, kernel, image),
        stride=(1,) * r,
        padding=margins,
        lhs_dilation=geometry.stride,
        rhs_dilation=geometry.dilation,
        feature_group_count=groups,
    )


def dw(x, dy, *, geometry, groups):
    r = len(geometry.size)
    over_batch, kernel = (r + 1, 0, *range(1, r + 1)), (r, r + 1, *range(r))
    return _conv(
        x,
        dy,
        (over_batch, over_batch, kernel),
        stride=geometry.dilation,
        padding=dw_padding(geometry),
        rhs_dilation=geometry.stride,
        batch_group_count=groups,
    )


def dw_padding(geometry):
    """The padding of x in the convolution of x with dy that computes dw."""
    return tuple(
        (lo, k - 1 + span - n - lo)
        for k, (lo, _), n, span in zip(
            geometry.effective_window, geometry.padding, geometry.size, geometry.span, strict=True
        )
    )


def _conv(a, b, layout, *, stride, padding, **options):
    return lax.conv_general_dilated(
        a,
        b,
        stride,
        padding,
        dimension_numbers=lax.ConvDimensionNumbers(*layout),
        preferred_element_type=accumulation_dtype(a.dtype),
        **options,
    )
