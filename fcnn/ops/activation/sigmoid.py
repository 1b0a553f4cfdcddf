"""The logistic sigmoid, its logarithm, and its piecewise linear form.

    sigmoid         y = 1 / (1 + exp(-x))               dx = y (1 - y) dy
    log_sigmoid     y = -log(1 + exp(-x))               dx = (1 - exp(y)) dy
    hard_sigmoid    y = min(max(x / 6 + 1/2, 0), 1)     dx = [-3 < x < 3] dy / 6

sigmoid and log_sigmoid save y: the next operator often saves y too, as its input. hard_sigmoid
saves x: a rounded y may be 1 where x is below 3.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fcnn.ops.activation.elementwise import between, differentiate
from fcnn.ops.op import operator

X = Float[Array, "..."]


@operator()
def sigmoid(x: X) -> X:
    """Logistic sigmoid: 1 / (1 + exp(-x)), between 0 and 1.

    Shapes: x (...) -> y (...).
    Units:  x is a plain number; y is a probability.
    Raises: TypeError if x does not hold floats.
    Cost:   one exponential per entry; y is saved.
    Source: Verhulst 1845.

    >>> fcnn.sigmoid(jnp.array([-200.0, 0.0, 200.0]))
    Array([0. , 0.5, 1. ], dtype=float32)
    """
    return jax.nn.sigmoid(x)


@operator()
def log_sigmoid(x: X) -> X:
    """Logarithm of the sigmoid: -log(1 + exp(-x)), accurate where the sigmoid rounds to 0.

    Shapes: x (...) -> y (...).
    Units:  x is a plain number; y is the logarithm of a probability, in nats.
    Raises: TypeError if x does not hold floats.
    Cost:   one exponential and one logarithm per entry; y is saved.
    Source: Cox 1958.

    >>> fcnn.log_sigmoid(jnp.array([-200.0, 0.0]))
    Array([-200.       ,   -0.6931472], dtype=float32)
    """
    return -jax.nn.softplus(-x)


@operator()
def hard_sigmoid(x: X) -> X:
    """Piecewise linear sigmoid: min(max(x / 6 + 1/2, 0), 1), with slope 0 at -3 and at 3.

    Shapes: x (...) -> y (...).
    Units:  x and y are plain numbers.
    Raises: TypeError if x does not hold floats.
    Cost:   one multiplication and two comparisons per entry; x is saved.
    Source: Howard et al. 2019.

    >>> fcnn.hard_sigmoid(jnp.array([-5.0, 0.0, 1.5, 5.0]))
    Array([0.  , 0.5 , 0.75, 1.  ], dtype=float32)
    """
    zero, one = jnp.zeros_like(x), jnp.ones_like(x)
    return jnp.where(x <= -3, zero, jnp.where(x >= 3, one, (x + 3) / 6))


SLOPES = {  # dy/dx in terms of y, and the kinks along x
    sigmoid: (lambda y: y * (1 - y), ()),
    log_sigmoid: (lambda y: -jnp.expm1(y), ()),
}
differentiate(SLOPES, of="y")
differentiate({hard_sigmoid: (lambda x: between(x, -3, 3) / 6, (-3, 3))}, of="x")
hard_sigmoid.torch_difference = (
    "torch's gradient has 1 / 6 in float32; the test compares with hardtanh(x / 6 + 1 / 2, 0, 1)"
)
