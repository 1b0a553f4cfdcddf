"""Validation of what the rules of an operator return."""

from typing import Any

import jax

from fcnn.ops.validation import named

LONGEST = 160  # largest number of characters of a description


def y_and_saved(returned: Any) -> tuple[Any, Any]:
    """The pair that `fwd` of an operator returned.

    Raises: TypeError if it is not a pair.
    """
    if not (isinstance(returned, tuple | list) and len(returned) == 2):
        raise TypeError(
            f"fwd returns {described(returned)}, not the pair of y and the residuals; "
            "write return y, saved"
        )
    y, saved = returned
    return y, saved


def cotangents(arrays: tuple[str, ...], returned: Any, rule: str = "bwd") -> tuple[Any, ...]:
    """The tuple that `bwd` of an operator returned, with an entry for each of `arrays`.

    Options:
        rule: the name of the function in the message.

    Raises: TypeError if it is not a tuple of that length.
    """
    if isinstance(returned, tuple | list) and len(returned) == len(arrays):
        return tuple(returned)
    write = ", ".join(f"d{array}" for array in arrays)
    raise TypeError(
        f"{rule} returns {described(returned)}, not a tuple of one cotangent for each of "
        f"{', '.join(arrays)}; write return {f'({write},)' if len(arrays) == 1 else write}, "
        "with None for an array without a gradient"
    )


def require_y_of_forward(name: str, y: Any, expected: Any) -> None:
    """TypeError unless y, returned by `fwd` of `name`, has the types that `forward` returns."""
    each = lambda tree: (jax.tree.structure(tree), list(map(described, jax.tree.leaves(tree))))
    if each(y) != each(expected):
        with named(name):
            raise TypeError(
                f"fwd returns y = {described(y)}, but {name} returns {described(expected)}; "
                "return the same y in both"
            )


def described(tree: Any) -> str:
    """The structure of a pytree with the dtype and shape of each leaf: (float32[2,3], int32[])."""
    text = lambda a: (
        f"{a.dtype}[{','.join(map(str, a.shape))}]" if hasattr(a, "dtype") else type(a).__name__
    )
    whole = str(jax.tree.map(text, tree)).replace("'", "")
    return whole if len(whole) <= LONGEST else f"{whole[:LONGEST]}..."
