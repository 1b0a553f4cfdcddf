"""Identity: the activation of a linear output.

    dx = dy

Shapes: any; y has the shape and dtype of x.
Units:  x and y are plain numbers.
Raises: TypeError for integers.
Cost:   one pass over x, and one back over dy and y.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from fcnn.ops.activation.elementwise import differentiate
from fcnn.ops.op import operator

X = Float[Array, "..."]


@operator()
def identity(x: X) -> X:
    """x itself: the activation of a linear output. Source: Widrow & Hoff 1960."""
    return x


differentiate({identity: (lambda y: jnp.ones_like(y), ())}, of="y")
