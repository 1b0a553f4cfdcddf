"""The floating and complex outputs of a function: only they have cotangents."""

from typing import Any

import jax

from fcnn.checker.complex_parts import has_gradient, split
from fcnn.ops.returned import described


def outputs(name: str, y: Any) -> list[Any]:
    """The floating leaves of y, which `name` returns, and the parts of its complex leaves.

    Raises: TypeError, in one line, if y has no such leaf.
    """
    found = [split(leaf) for leaf in jax.tree.leaves(y) if has_gradient(leaf)]
    if not found:
        missing = "; is a return missing?" if y is None else ""
        raise TypeError(
            f"check: {name} returns {described(y)}, which has no floating output, "
            f"so there is no gradient{missing}"
        )
    return found
