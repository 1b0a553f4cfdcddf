"""Convolution without XLA's own gradients, which are slow inside loops on CPU.

These gradients are convolutions with another order of axes. Outside loops XLA transposes them.
Inside a loop on CPU it falls back to a slow program. 16×32×32×16→16, 3×3, milliseconds:

    part   XLA's gradient in a loop   outside
    dx     12                         1
    dw     62                         1.5

So here

    y     is a forward convolution
    dx    is forward convolutions of dy, with w's channels and features exchanged (`input_gradient`)
    dw    is that of `tiled`
"""

from fcnn.ops.convolution.impl import lax, tiled
from fcnn.ops.convolution.impl.input_gradient import dx_by

forward, dw = lax.forward, tiled.dw


def dx(w, dy, *, geometry, groups):
    return dx_by(_over_features, w, dy, geometry=geometry, groups=groups)


def _over_features(dy, w, *, geometry, groups):
    c, o = w.shape[-2], w.shape[-1] // groups
    w = w.reshape(*geometry.window, c, groups, o).swapaxes(-3, -1)
    return forward(dy, w.reshape(*geometry.window, o, groups * c), geometry=geometry, groups=groups)
