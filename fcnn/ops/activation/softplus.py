"""Smooth rectifiers: near 0 far below, near x far above.

    softplus      y = log(1 + exp(x))              dx = (1 - exp(-y)) dy
    squareplus    y = (x + sqrt(x^2 + b)) / 2      dx = dy / (1 + b / (4 y^2))

y is saved, which the next operator keeps anyway, as its x.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fcnn.ops.activation.elementwise import differentiate
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import operator

X = Float[Array, "..."]


@operator()
def softplus(x: X) -> X:
    """log(1 + exp(x)), a smooth relu. Source: Dugas et al. 2000."""
    return jax.nn.softplus(x)


@operator()
def squareplus(x: X, *, b: float = 4.0) -> X:
    """(x + sqrt(x^2 + b)) / 2, a smooth relu without exponentials; f(x) f(-x) = b / 4.

    Source: Barron, arXiv:2112.11687.
    """
    size = jnp.where(x <= 0, -x, x).astype(accumulation_dtype(x.dtype))  # no sum of opposites
    far = size > 2 * math.sqrt(b / jnp.finfo(size.dtype).eps)  # there sqrt(x^2 + b) rounds to |x|
    near = jnp.where(far, jnp.ones_like(size), size)
    y = size / 2 + jnp.where(far, size, jnp.sqrt(jnp.square(near) + b)) / 2
    return jnp.where(x <= 0, b / 4 / y, y).astype(x.dtype)


SLOPES = {  # dy/dx in terms of y, and the kinks along x
    softplus: (lambda y: -jnp.expm1(-y), ()),
    squareplus: (lambda y, b: 1 / (1 + b / 4 / jnp.square(y)), ()),
}
differentiate(SLOPES, of="y")
softplus.torch_difference = (
    "is x itself beyond its threshold, 20 by default: compared with a threshold of 40"
)
squareplus.torch_difference = "none there: compared with the formula"
