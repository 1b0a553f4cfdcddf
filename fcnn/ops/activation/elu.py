"""Exponential linear units: x above 0, an exponential below it.

    elu     y = x, or alpha (exp(x) - 1) where x <= 0            dx = dy, or alpha exp(x) dy there
    celu    y = x, or alpha (exp(x / alpha) - 1) where x <= 0    dx = dy, or exp(x / alpha) dy there

selu is a scaled elu. x is saved. Below 0 the slope of elu equals y + alpha too, but this sum is
inexact where y nears -alpha. exp is computed for numbers up to 0 only, so it cannot overflow.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fcnn.ops.activation.elementwise import at_most_0, differentiate
from fcnn.ops.op import operator

X = Float[Array, "..."]

ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805  # of selu


@operator()
def elu(x: X, *, alpha: float = 1.0) -> X:
    """Exponential linear unit: x, or alpha (exp(x) - 1) where x <= 0, with slope alpha at 0.

    Shapes: x (...) -> y (...).
    Options:
        alpha: the slope at 0; 1.0 by default. Far below 0, y approaches -alpha.
    Units:  x and y are plain numbers.
    Raises: TypeError if x does not hold floats, or alpha is not a number; ValueError unless 0 <
            alpha < inf.
    Cost:   one exponential per entry; x is saved.
    Source: Clevert, Unterthiner & Hochreiter, arXiv:1511.07289.

    >>> fcnn.elu(jnp.array([-100.0, 0.0, 2.0]))
    Array([-1.,  0.,  2.], dtype=float32)
    """
    return jnp.where(x <= 0, alpha * _expm1(at_most_0(x)), x)


@operator()
def selu(x: X) -> X:
    """Scaled exponential linear unit, which keeps activations near mean 0 and variance 1.

    It is SCALE elu(x, alpha=ALPHA). Its slope at 0 is SCALE ALPHA, about 1.758.

    Shapes: x (...) -> y (...).
    Units:  x and y are plain numbers.
    Raises: TypeError if x does not hold floats.
    Cost:   one exponential per entry; x is saved.
    Source: Klambauer et al., arXiv:1706.02515.

    >>> fcnn.selu(jnp.array([-200.0, 0.0, 1.0]))
    Array([-1.7580993,  0.       ,  1.050701 ], dtype=float32)
    """
    return SCALE * elu.forward(x, alpha=ALPHA)


@operator()
def celu(x: X, *, alpha: float = 1.0) -> X:
    """Continuously differentiable elu: x, or alpha (exp(x / alpha) - 1) where x <= 0.

    Shapes: x (...) -> y (...).
    Options:
        alpha: far below 0, y approaches -alpha; 1.0 by default. The slope at 0 is always 1.
    Units:  x and y are plain numbers.
    Raises: TypeError if x does not hold floats, or alpha is not a number; ValueError unless 0 <
            alpha < inf.
    Cost:   one exponential per entry; x is saved.
    Source: Barron, arXiv:1704.07483.

    >>> fcnn.celu(jnp.array([-100.0, 0.0, 2.0]), alpha=0.5)
    Array([-0.5,  0. ,  2. ], dtype=float32)
    """
    return jnp.where(x <= 0, alpha * _expm1(at_most_0(x) / alpha), x)


@jax.custom_jvp
def _expm1(x):
    """exp(x) - 1, with the slope exp(x). The slope in JAX, y + 1, is inexact where y nears -1."""
    return jnp.expm1(x)


_expm1.defjvps(lambda dx, y, x: jnp.exp(x) * dx)


SLOPES = {  # dy/dx in terms of x, and the kinks along x
    elu: (lambda x, alpha: jnp.where(x <= 0, alpha * jnp.exp(at_most_0(x)), 1), (0,)),
    selu: (lambda x: SCALE * jnp.where(x <= 0, ALPHA * jnp.exp(at_most_0(x)), 1), (0,)),
    celu: (lambda x, alpha: jnp.where(x <= 0, jnp.exp(at_most_0(x) / alpha), 1), (0,)),
}
differentiate(SLOPES, of="x")
celu.torch_difference = (
    "torch's gradient has 1 / alpha in float32; the test compares with alpha elu(x / alpha)"
)
