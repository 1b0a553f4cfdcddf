"""One run of a hand-written gradient, with an error message for each wrong form of its results.

    fwd(*args) -> y, saved;  bwd(saved, dy) -> one gradient, or None, for each argument

dy has the structure of y, with None for an output that is not floating.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fcnn.checker.backward_rules import Rule, gradients_of
from fcnn.checker.complex_parts import has_gradient, is_complex, join_cotangent
from fcnn.checker.outputs import outputs
from fcnn.ops.returned import described


def apply_rule(
    rule: Rule, name: str, args: Sequence[Any], tree: Any, dy: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """The outputs y at args, and the gradient of each leaf of `tree`, the structure of args.

    A gradient is None if bwd returns None for its argument.

    Raises: ValueError, in one line, if fwd or bwd returns anything else than the page describes.
    """
    fwd, bwd = rule
    returned = fwd(*args)
    if not (isinstance(returned, tuple | list) and len(returned) == 2):
        raise ValueError(
            f"check: fwd of {name} returns {described(returned)}; write return y, saved"
        )
    y, saved = returned
    floats = outputs(f"fwd of {name}", y)
    if len(floats) != len(dy):
        raise ValueError(
            f"check: fwd of {name} returns y = {described(y)}, with {len(floats)} floating outputs "
            f"instead of {len(dy)}; return the same y as {name}"
        )
    left = iter(dy)
    found = bwd(saved, jax.tree.map(lambda a: _cotangent(a, left), y))
    given = gradients_of(found, tree.children())
    if given is None:
        raise ValueError(f"check: the backward of {name} returns {_refused(found, len(args))}")
    each: list[Any] = []
    for i, (part, of_argument) in enumerate(zip(tree.children(), given, strict=True)):
        try:
            each += (
                [None] * part.num_leaves if of_argument is None else part.flatten_up_to(of_argument)
            )
        except (ValueError, TypeError):
            raise ValueError(
                f"check: the backward of {name} returns {jax.tree.structure(of_argument)} "
                f"for argument {i}; return the structure of the argument, {part}"
            ) from None
    return floats, each


def require_array(g: Any, name: str, leaf: str) -> Any:
    """The gradient g that the backward of `name` returns for a leaf.

    Raises: ValueError, in one line, if g is not None, an array of numbers or a number.
    """
    if isinstance(g, np.ndarray | np.generic | jax.Array):
        if jnp.issubdtype(g.dtype, jnp.number) or g.dtype == bool:
            return g
    elif g is None or type(g) in (bool, int, float, complex):
        return g
    raise ValueError(
        f"check: the backward of {name} returns {described(g)} for {leaf}; "
        "return an array of floats"
    )


def _cotangent(y, dy: Iterator[Any]):
    """The next dy as the cotangent of y; None if y has no cotangent."""
    if not has_gradient(y):
        return None
    return join_cotangent(next(dy)) if is_complex(y) else next(dy)


def _refused(found, n):
    """The end of the error message if bwd does not return one gradient for each of n arguments."""
    if found is None:
        return "None; is a return missing?"
    if isinstance(found, Iterator):
        return f"a {type(found).__name__}; return a tuple with one gradient per argument"
    plural = lambda n, noun: f"{n} {noun}{'' if n == 1 else 's'}"
    number = len(found) if isinstance(found, tuple | list) else 1 if hasattr(found, "dtype") else 0
    count = f"{plural(number, 'gradient')} for {plural(n, 'argument')}"
    return (
        f"{count if number or found == () else described(found)}; "
        "return one gradient per argument, and None for an argument without gradient"
    )
