"""Smooth rectifiers: about 0 for very negative x, about x for very positive x.

    softplus      y = log(1 + exp(x))              dx = (1 - exp(-y)) dy
    squareplus    y = (x + sqrt(x^2 + b)) / 2      dx = dy y^2 / (y^2 + b / 4)

y is saved: the next operator often saves y too, as its input.
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
    """Softplus: log(1 + exp(x)), a smooth relu.

    Shapes: x (...) -> y (...).
    Units:  x and y are plain numbers.
    Raises: TypeError if x does not hold floats.
    Cost:   one exponential and one logarithm per entry; y is saved.
    Source: Dugas et al. 2000.

    >>> fcnn.softplus(jnp.array([-200.0, 0.0, 200.0]))
    Array([  0.       ,   0.6931472, 200.       ], dtype=float32)
    """
    return jax.nn.softplus(x)


@operator()
def squareplus(x: X, *, b: float = 4.0) -> X:
    """Squareplus: (x + sqrt(x^2 + b)) / 2, a smooth relu without exponentials.

    Shapes: x (...) -> y (...).
    Options:
        b: the width of the bend; 4.0 by default. y(0) = sqrt(b) / 2, and y(x) y(-x) = b / 4.
    Units:  x and y are plain numbers.
    Raises: TypeError if x does not hold floats, or b is not a number; ValueError unless 0 < b <
            inf.
    Cost:   one square root and one division per entry; y is saved.
    Source: Barron, arXiv:2112.11687.

    >>> fcnn.squareplus(jnp.array([-3.0, 0.0, 3.0]), b=16.0)
    Array([1., 2., 4.], dtype=float32)
    """
    # y(|x|) first: x + sqrt(x^2 + b) would cancel for a negative x
    size = jnp.where(x <= 0, -x, x).astype(accumulation_dtype(x.dtype))
    far = size > 2 * math.sqrt(b / jnp.finfo(size.dtype).eps)  # there sqrt(x^2 + b) rounds to |x|
    near = jnp.where(far, jnp.ones_like(size), size)
    y = size / 2 + jnp.where(far, size, jnp.sqrt(jnp.square(near) + b)) / 2
    return jnp.where(x <= 0, b / 4 / y, y).astype(x.dtype)


def _squareplus_slope(y, b):
    """y^2 / (y^2 + b / 4), computed by squaring a quotient of at most 1, which cannot overflow."""
    c = math.sqrt(b) / 2
    low = y < c
    u = jnp.where(low, y, c) / jnp.where(low, c, y)
    return jnp.where(low, u * u, 1) / (1 + u * u)


SLOPES = {  # dy/dx in terms of y, and the kinks along x
    softplus: (lambda y: -jnp.expm1(-y), ()),
    squareplus: (_squareplus_slope, ()),
}
differentiate(SLOPES, of="y")
softplus.torch_difference = (
    "torch returns x above a threshold, 20 by default; the test sets the threshold to 40"
)
squareplus.torch_difference = "torch has none; the test compares with the formula"
