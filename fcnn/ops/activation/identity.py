"""Identity: the activation of a linear output.

y = x          dx = dy
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from fcnn.ops.activation.elementwise import differentiate
from fcnn.ops.op import operator

X = Float[Array, "..."]


@operator()
def identity(x: X) -> X:
    """Identity: x itself, the activation of a linear output.

    Shapes: x (...) -> y (...).
    Units:  x and y are plain numbers.
    Raises: TypeError if x does not hold floats.
    Cost:   none under jit, which removes the product of dy with 1.
    Source: Widrow & Hoff 1960.

    >>> fcnn.identity(jnp.array([-1.0, 2.0]))
    Array([-1.,  2.], dtype=float32)
    """
    return x


differentiate({identity: (lambda y: jnp.ones_like(y), ())}, of="y")
