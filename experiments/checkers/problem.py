"""One problem for a checker: a function, its arguments, and a correct or wrong backward pass."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

KINDS = (  # kinds of mistakes, as fcnn.check names them
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

    `backward` returns one entry per argument: its cotangent, or None if it has no cotangent. `args`
    draws the same arguments in every call. For a wrong gradient, `kind` is the mistake, one of
    KINDS. For a correct gradient, `kind` is the property that misleads simpler checkers.
    """

    name: str
    family: str
    kind: str
    forward: Callable[..., Any]
    args: Callable[[], tuple[Any, ...]]
    backward: Callable[..., tuple[Any, ...]]
