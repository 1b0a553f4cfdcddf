"""Activations between -1 and 1.

    tanh         y = tanh x                   dx = (1 - y^2) dy
    hard_tanh    y = min(max(x, -1), 1)       dx = [-1 < y < 1] dy
    softsign     y = x / (1 + |x|)            dx = dy / (1 + |x|)^2

tanh and hard_tanh save y, which the next operator keeps anyway, as its x. softsign saves x: where y
nears 1, a rounded y hides how near.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fcnn.ops.activation.elementwise import between, clipped, differentiate
from fcnn.ops.op import operator

X = Float[Array, "..."]


@operator()
def tanh(x: X) -> X:
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x)). Source: LeCun et al. 1998, "Efficient BackProp"."""
    return jnp.tanh(x)


@operator()
def hard_tanh(x: X) -> X:
    """min(max(x, -1), 1), with slope 0 at -1 and at 1. Source: Collobert 2004."""
    return clipped(x, -1, 1)


@operator()
def softsign(x: X) -> X:
    """x / (1 + abs(x)), which saturates more slowly than tanh. Source: Bergstra et al. 2009."""
    most = jnp.finfo(x.dtype).max
    return _softsign(jnp.clip(x, -most, most))  # so that infinity is no quotient of two


@jax.custom_jvp
def _softsign(x):
    """Its slope is given: JAX takes the difference of two quotients, which cancels far out."""
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
