"""What a gradient goes through: the floating leaves of arguments and outputs."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fcnn.ops.returned import described


def is_float(leaf: Any) -> bool:
    """Whether a gradient goes through it."""
    dtype = getattr(leaf, "dtype", type(leaf))
    return dtype is float or (hasattr(leaf, "dtype") and jnp.issubdtype(dtype, jnp.floating))


def outputs(name: str, y: Any) -> list[Any]:
    """The floating leaves of y, which `name` returns.

    Raises: TypeError, in one line, where there are none, or where a leaf is complex.
    """
    leaves = jax.tree.leaves(y)
    if any(map(np.iscomplexobj, leaves)):
        raise TypeError(
            f"check: {name} returns {described(y)}; complex outputs are not supported: "
            "return real and imaginary parts as two outputs, as in return y.real, y.imag"
        )
    floats = [leaf for leaf in leaves if is_float(leaf)]
    if not floats:
        missing = "; is a return missing?" if y is None else ""
        raise TypeError(
            f"check: {name} returns {described(y)}, which has no floating output, "
            f"so nothing has a gradient{missing}"
        )
    return floats
