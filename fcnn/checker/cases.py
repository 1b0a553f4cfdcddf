"""The subjects of a check: a function at given arguments, or an operator at all its cases."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from fcnn.checker.compiled import exactly
from fcnn.checker.subject import Subject, subject_of
from fcnn.ops import Case, Op
from fcnn.ops.arrays import is_float


class CheckCase(NamedTuple):
    """One case of an operator, with the options of one implementation."""

    op: Op
    case: Case
    options: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.op.name}: {self.case.name}" + (f", by {self.impl}" if self.impl else "")

    @property
    def impl(self) -> str:
        return self.options["impl"] if self.op.impls else ""


def count_of(f: Callable, args: Sequence[Any] | None) -> int:
    """The number of subjects of `subjects_of`."""
    return sum(1 for _ in check_cases(f)) if args is None and isinstance(f, Op) else 1


def subjects_of(
    f: Callable, args: Sequence[Any] | None, backward: Any, seed: int
) -> Iterator[Subject]:
    """f at `args`. Without args, f must be an operator, and each of its cases is a subject.

    Raises: TypeError if args are missing and f has no case with a gradient; errors of `subject_of`.
    """
    if args is not None:
        yield _at(f, args, backward)
        return
    if not isinstance(f, Op):
        raise TypeError(
            "check: args are missing; write check(f, (x, w)): only an operator has cases to use"
        )
    if not has_gradient(f):
        lacks = "no case with a floating argument" if f.cases else "no cases"
        raise TypeError(f"check: {f.name} has {lacks}; write check({f.name}, (x,))")
    for case in check_cases(f):
        yield replace(subject_in(case, seed), timed=case.case is f.cases[0])


def _at(f, args, backward):
    """f at `args`, with int64 for int32 if JAX can trace f in float64 only so.

    In float64, JAX reads a Python integer as int64, and some functions reject it beside an int32.
    """
    subject = subject_of(f, args, backward)
    leaves, tree = jax.tree.flatten(args)
    if not any(map(_is_signed, leaves)) or _is_traceable(subject):
        return subject
    wide = [np.asarray(a).astype("int64") if _is_signed(a) else a for a in leaves]
    with jax.enable_x64(True):
        other = subject_of(f, jax.tree.unflatten(tree, wide), backward)
    return other if _is_traceable(other) else subject


def _is_signed(a):
    """Whether `a` is an int32 for JAX, which also reads an int64 as int32 by default."""
    is_array = isinstance(a, np.ndarray | np.generic | jax.Array)
    return is_array and a.dtype in (np.int32, np.int64)


def _is_traceable(subject):
    with exactly():
        x = [jax.ShapeDtypeStruct(a.shape, "float64") for a in subject.x]
        try:
            jax.eval_shape(subject.plain, x)
        except Exception:  # tracing may raise any error; the check raises it again
            return False
    return True


def subject_in(case: CheckCase, seed: int) -> Subject:
    """A case of an operator as a subject, with arguments drawn in float64."""
    with exactly():
        args = case.case.draw(seed)
        subject = subject_of(partial(case.op, **case.options), args)
    return replace(subject, name=case.name, impl=case.impl)


def check_cases(op: Op) -> Iterator[CheckCase]:
    """A CheckCase for each proved case with a floating argument and each implementation."""
    for case in op.cases:
        if case.proved and any(map(is_float, case.shapes())):
            yield from (CheckCase(op, case, options) for options in ways(op, case))


def has_gradient(op: Op) -> bool:
    """Whether some case of the operator has a floating argument."""
    return any(not case.raises and any(map(is_float, case.shapes())) for case in op.cases)


def ways(op: Op, case: Case) -> list[dict[str, Any]]:
    """The options of `case`, once for each implementation that supports it."""
    impls = [{"impl": impl} for impl in op.impls] or [{}]
    return [{**case.options, **impl} for impl in impls if _supports(op, case, impl)]


def _supports(op, case, impl):
    """Whether the implementation accepts the shapes of the case; "auto" accepts all."""
    if impl.get("impl", "auto") == "auto":
        return True
    arrays, options = op.bind(*case.draw(), **{**case.options, **impl})
    try:
        op.validate_rule(*arrays, **options)
    except ValueError:
        return False
    return True
