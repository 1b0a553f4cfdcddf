"""Convolution without XLA's own gradients, which are slow inside loops on CPU.

These gradients are convolutions with another order of axes. Outside loops XLA transposes the
arrays. Inside a loop on CPU, XLA falls back to a slow program. Milliseconds for 16×32×32×16→16 and
a window of 3×3:

    part   XLA's gradient in a loop   outside
    dx     12                         1
    dw     62                         1.5

So here y, dx and dw are forward convolutions, with the order of axes of forward convolutions:

    y     of x with w
    dx    of dy with w, whose channels and features are exchanged (`input_gradient`)
    dw    of x, after an exchange of its channels and examples, with dy as the kernel;
          stride and dilation are exchanged

dw is a primitive of its own because of vmap. JAX would turn the mapped axis into groups of one
convolution. But the number of groups must not be symbolic, and XLA is slow for groups. So under
vmap, `tiled` computes dw. dw is bilinear, so its own gradient is a convolution too:

    L = <dw', dw(x, dy)> = <dy, y(x, dw')>        the cotangent of dy is y(x, dw')
                                                  the cotangent of x is dx(dw', dy)
"""

import jax.numpy as jnp

from fcnn.ops.convolution.impl import lax, tiled
from fcnn.ops.convolution.impl.grouped import exchange
from fcnn.ops.convolution.impl.input_gradient import dx_by
from fcnn.ops.registration import RULE, by_rule

forward = lax.forward


def dx(w, dy, *, geometry, groups):
    return dx_by(_over_features, w, dy, geometry=geometry, groups=groups)


def dw(x, dy, *, geometry, groups):
    if RULE != "hijax":  # custom_vjp has no rule for vmap, and no forward mode
        return tiled.dw(x, dy, geometry=geometry, groups=groups)
    return by_rule(_WeightGradient, (x, dy), {"geometry": geometry, "groups": groups})


def _over_features(dy, w, *, geometry, groups):
    return forward(dy, exchange(w, groups), geometry=geometry, groups=groups)


class _WeightGradient:
    """dw as an operator, for `by_rule`."""

    name = "conv"
    under_vmap = staticmethod(tiled.dw)

    @staticmethod
    def forward(x, dy, *, geometry, groups):
        n, c = x.shape[0], x.shape[-1] // groups
        x = jnp.moveaxis(x.reshape(n, *geometry.size, groups, c), (0, -1), (-1, 0))
        x = x.reshape(c, *geometry.size, groups * n)
        exchanged = geometry._replace(
            window=geometry.out,
            stride=geometry.dilation,
            dilation=geometry.stride,
            padding=lax.dw_padding(geometry),
        )
        dw = forward(x, jnp.moveaxis(dy, 0, -2), geometry=exchanged, groups=groups)
        return jnp.moveaxis(dw, 0, -2)

    @classmethod
    def fwd_rule(cls, x, dy, **options):
        return cls.forward(x, dy, **options), (x, dy)

    @staticmethod
    def bwd_rule(saved, ddw, **options):
        x, dy = (a.astype(ddw.dtype) for a in saved)
        found = dx(ddw, dy, **options), forward(x, ddw, **options)
        return tuple(g.astype(a.dtype) for g, a in zip(found, saved, strict=True))
