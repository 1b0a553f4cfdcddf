"""Exponential linear units: x above 0, an exponential below that nears a limit.

    elu     y = x, or alpha (exp(x) - 1) where x <= 0            dx = dy, or alpha exp(x) dy there
    celu    y = x, or alpha (exp(x / alpha) - 1) where x <= 0    dx = dy, or exp(x / alpha) dy there

x is saved. The slope could be read from y, as y + alpha, but where y nears -alpha a rounded y hides
how near. No exponential is of a positive number, so none overflows.
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
    """x, or alpha (exp(x) - 1) where x <= 0: its slope at 0 is alpha.

    Source: Clevert, Unterthiner & Hochreiter, arXiv:1511.07289.
    """
    return jnp.where(x <= 0, alpha * _expm1(at_most_0(x)), x)


@operator()
def selu(x: X) -> X:
    """SCALE elu(x) at alpha = ALPHA, which keeps mean 0 and variance 1.

    Its slope at 0 is SCALE ALPHA, about 1.758. Source: Klambauer et al., arXiv:1706.02515.
    """
    return SCALE * elu.forward(x, alpha=ALPHA)


@operator()
def celu(x: X, *, alpha: float = 1.0) -> X:
    """x, or alpha (exp(x / alpha) - 1) where x <= 0: its slope at 0 is 1.

    Source: Barron, arXiv:1704.07483.
    """
    return jnp.where(x <= 0, alpha * _expm1(at_most_0(x) / alpha), x)


@jax.custom_jvp
def _expm1(x):
    """exp(x) - 1. Its slope is given: JAX takes y + 1, which is lost where y nears -1."""
    return jnp.expm1(x)


_expm1.defjvps(lambda dx, y, x: jnp.exp(x) * dx)


SLOPES = {  # dy/dx in terms of x, and the kinks along x
    elu: (lambda x, alpha: jnp.where(x <= 0, alpha * jnp.exp(at_most_0(x)), 1), (0,)),
    selu: (lambda x: SCALE * jnp.where(x <= 0, ALPHA * jnp.exp(at_most_0(x)), 1), (0,)),
    celu: (lambda x, alpha: jnp.where(x <= 0, jnp.exp(at_most_0(x) / alpha), 1), (0,)),
}
differentiate(SLOPES, of="x")
celu.torch_difference = (
    "its gradient keeps 1 / alpha in float32: compared with alpha elu(x / alpha)"
)
