"""The floating outputs of a function: only they have cotangents."""

from typing import Any

import jax
import numpy as np

from fcnn.ops.arrays import is_float
from fcnn.ops.returned import described


def outputs(name: str, y: Any) -> list[Any]:
    """The floating leaves of y, which `name` returns.

    Raises: TypeError, in one line, if y has no floating leaf, or if a leaf is complex.
    """
    leaves = jax.tree.leaves(y)
    if any(map(np.iscomplexobj, leaves)):
        raise TypeError(
            f"check: {name} returns {described(y)}; complex outputs are not supported; "
            "write return y.real, y.imag"
        )
    floats = [leaf for leaf in leaves if is_float(leaf)]
    if not floats:
        missing = "; is a return missing?" if y is None else ""
        raise TypeError(
            f"check: {name} returns {described(y)}, which has no floating output, "
            f"so there is no gradient{missing}"
        )
    return floats
