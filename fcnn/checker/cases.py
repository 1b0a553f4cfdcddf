"""The problems that an operator brings along: each of its cases, by each implementation."""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from fcnn.ops import Case, Op


class CheckCase(NamedTuple):
    """One case of an operator, computed one way."""

    op: Op
    case: Case
    options: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.op.name}: {self.case.name}" + (f", by {self.impl}" if self.impl else "")

    @property
    def impl(self) -> str:
        return self.options["impl"] if self.op.impls else ""


def problems(op: Op) -> Iterator[CheckCase]:
    """All that an operator must get right and that has a gradient."""
    for case in op.cases:
        if case.proved and any(map(_is_float, case.shapes())):
            yield from (CheckCase(op, case, options) for options in ways(op, case))


def has_gradient(op: Op) -> bool:
    """Whether some case of it has a floating argument."""
    return any(not case.raises and any(map(_is_float, case.shapes())) for case in op.cases)


def ways(op: Op, case: Case) -> list[dict[str, Any]]:
    """The options of `case`, once for each implementation that serves it."""
    impls = [{"impl": impl} for impl in op.impls] or [{}]
    return [{**case.options, **impl} for impl in impls if _serves(op, case, impl)]


def _serves(op, case, impl):
    """An implementation may refuse a shape, "auto" none."""
    if impl.get("impl", "auto") == "auto":
        return True
    try:
        jax.eval_shape(partial(op, **{**case.options, **impl}), *case.shapes())
    except ValueError:
        return False
    return True


def _is_float(a):
    return a is not None and jnp.issubdtype(a.dtype, jnp.floating)
