"""A gradient to judge: a function, where, and a backward pass that is right or has one mistake."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

KINDS = (  # of mistakes; those that the checker names, in its words
    "stopped",
    "constant factor",
    "mean for sum",
    "sum for mean",
    "not reduced",
    "reduced too far",
    "transposed",
    "flipped",
    "channels exchanged",
    "shifted",
    "border dropped",
    "positions skipped",
    "wrong below zero",
    "ties",
    "ragged window",
    "wrong derivative",
    "missing mean term",
    "missing variance term",
    "missing sum term",
    "missing factor",
    "dropout mask",
    "dropout scale",
    "gates exchanged",
    "truncated in time",
    "arguments exchanged",
    "single entry",
    "not finite",
    "not deterministic",
)


@dataclass(frozen=True)
class CheckerProblem:
    """`backward(*args, dy)` claims to be the gradient of `forward(*args)`.

    It gives one cotangent per argument, None where there is none. `args` draws the arguments, the
    same ones each time. `kind` is one of KINDS, or, of a right gradient, what naive checkers trip
    over.
    """

    name: str
    family: str
    kind: str
    forward: Callable[..., Any]
    args: Callable[[], tuple[Any, ...]]
    backward: Callable[..., tuple[Any, ...]]
