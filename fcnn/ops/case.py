"""Cases of an operator: small arguments and options, and what is tested with them.

    square.cases = (
        Case("a matrix", ((2, 3),)),
        extreme("huge", normals((2, 3), 1e9)),
        rejects("x holds int32", ints((3,)), kind=TypeError),
    )

Cases are in the operator's module. The suites of `tests/ops/`, `fcnn.check` and the experiments run
on them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

Draw = Callable[[np.random.Generator], np.ndarray | jax.Array]


@dataclass(frozen=True)
class Case:
    """One small set of arguments and options for an operator, and what is tested with it.

    Options:
        name: a name for reports, unique among the cases of an operator.
        args: for each argument a shape (standard normals are drawn), a function of a NumPy
            generator that draws the array, or None for an absent argument.
        options: the operator's static arguments and keywords.
        kink: whether the function has a kink at these arguments. The operator chooses a
            slope there, which finite differences cannot confirm.
        raises: for bad input, the type of the error and a pattern of its message.
        extreme: whether arguments are at the limits of float16 and bfloat16. Such a case is not
            compared with finite differences: tests/ops/test_extremes.py rounds the arguments to
            each dtype, and compares with float64.
    """

    name: str
    args: tuple[tuple[int, ...] | Draw | None, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    kink: bool = False
    raises: tuple[type[Exception], str] | None = None
    extreme: bool = False

    @property
    def proved(self) -> bool:
        """Whether the gradient is proved in float64."""
        return not (self.raises or self.extreme)

    def draw(self, seed: int = 0) -> tuple[jax.Array | None, ...]:
        """Draw the arguments by NumPy. JAX would compile a program for each new shape."""
        rng = np.random.default_rng(seed)
        one = lambda a: jax.device_put(a(rng) if callable(a) else rng.standard_normal(a))
        return tuple(a if a is None else one(a) for a in self.args)

    def shapes(self) -> tuple[jax.ShapeDtypeStruct | None, ...]:
        """The shapes and dtypes of the arguments."""
        args = self.draw()
        return tuple(a if a is None else jax.ShapeDtypeStruct(a.shape, a.dtype) for a in args)


def ints(shape: tuple[int, ...], below: int = 10) -> Draw:
    """An entry of `Case.args`: integers drawn from 0 .. below - 1."""
    return lambda rng: rng.integers(0, below, shape, np.int32)


def normals(shape: tuple[int, ...], times: float, plus: float = 0.0) -> Draw:
    """An entry of `Case.args`: normals of standard deviation `times` and mean `plus`."""
    return lambda rng: plus + times * rng.standard_normal(shape)


def extreme(name: str, *args: Any, **options: Any) -> Case:
    """A case of `Op.cases`: arguments at the limits of float16 and bfloat16."""
    return Case(name, args, options, extreme=True)


def rejects(message: str, *args: Any, kind: type[Exception] = ValueError, **options: Any) -> Case:
    """A case of `Op.cases`: bad input, with the type and a pattern of the message of its error."""
    return Case(f"bad: {message}", args, options, raises=(kind, message))
