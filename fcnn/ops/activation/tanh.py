"""Activations between -1 and 1.

    tanh         y = tanh x                   dx = (1 - y^2) dy
    hard_tanh    y = min(max(x, -1), 1)       dx = [-1 < y < 1] dy
    softsign     y = x / (1 + |x|)            dx = dy / (1 + |x|)^2

tanh and hard_tanh save y: the next operator often saves y too, as its input. softsign saves x:
its slope in terms of y, (1 - |y|)^2, is inexact where |y| nears 1.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fcnn.ops.activation.elementwise import between, clipped, differentiate
from fcnn.ops.op import operator

X = Float[Array, "..."]


@operator()
def tanh(x: X) -> X:
    """Hyperbolic tangent: (exp(x) - exp(-x)) / (exp(x) + exp(-x)), between -1 and 1.

    Shapes: x (...) -> y (...).
    Units:  x and y are plain numbers.
    Raises: TypeError if x does not hold floats.
    Cost:   one tanh per entry; y is saved.
    Source: LeCun et al. 1998, "Efficient BackProp".

    >>> fcnn.tanh(jnp.array([-200.0, 0.0, 200.0]))
    Array([-1.,  0.,  1.], dtype=float32)
    """
    return jnp.tanh(x)


@operator()
def hard_tanh(x: X) -> X:
    """Piecewise linear tanh: min(max(x, -1), 1), with slope 0 at -1 and at 1.

    Shapes: x (...) -> y (...).
    Units:  x and y are plain numbers.
    Raises: TypeError if x does not hold floats.
    Cost:   two comparisons per entry; y is saved.
    Source: Collobert 2004.

    >>> fcnn.hard_tanh(jnp.array([-2.0, 0.5, 2.0]))
    Array([-1. ,  0.5,  1. ], dtype=float32)
    """
    return clipped(x, -1, 1)


@operator()
def softsign(x: X) -> X:
    """Softsign: x / (1 + abs(x)), which saturates more slowly than tanh.

    Shapes: x (...) -> y (...).
    Units:  x and y are plain numbers.
    Raises: TypeError if x does not hold floats.
    Cost:   one division per entry; x is saved.
    Source: Bergstra et al. 2009.

    >>> fcnn.softsign(jnp.array([-1.0, 0.0, 3.0]))
    Array([-0.5 ,  0.  ,  0.75], dtype=float32)
    """
    most = jnp.finfo(x.dtype).max
    return _softsign(jnp.clip(x, -most, most))  # infinity / infinity would be NaN


@jax.custom_jvp
def _softsign(x):
    """x / (1 + |x|) with the slope of `_softsign_slope`.

    JAX would compute the slope as a difference of quotients, which is inexact for large x.
    """
    return x / (1 + jnp.abs(x))


_softsign.defjvps(lambda dx, y, x: _softsign_slope(x) * dx)


def _softsign_slope(x):
    return jnp.square(1 / (1 + jnp.abs(x)))


SLOPES = {  # dy/dx in terms of y, and the kinks along x
    tanh: (lambda y: 1 - y * y, ()),
    hard_tanh: (lambda y: between(y, -1, 1), (-1, 1)),
}
differentiate(SLOPES, of="y")
differentiate({softsign: (_softsign_slope, ())}, of="x")
