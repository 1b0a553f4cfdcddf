"""The compiled functions of a subject. A function that JAX cannot trace runs uncompiled.

    step(v, h)          y = f(x + h v), and J v there by forward autodiff
    claimed(dy)         y and the claimed gradient G
    again(dy)           the same, by a program that is traced separately
    reference(x, dy)    R = Jᵀ dy by reverse autodiff of the plain function

These functions take and return NumPy arrays. A value that JAX cannot compute is None, such as
reverse autodiff of a while loop, or any autodiff of a NumPy function.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fcnn.checker.raised import RaisedError
from fcnn.checker.strip_rules import dtypes_in, mentions
from fcnn.checker.subject import Leaves, Subject

SMALL = 10**5  # a subject or program is small if all its arguments together have fewer entries
FEW_PASSES = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


@contextmanager
def exactly() -> Iterator[None]:
    """Enable float64 and exact matrix products, and silence NumPy's warnings of inf and NaN."""
    with jax.enable_x64(True), jax.default_matmul_precision("highest"), np.errstate(all="ignore"):
        yield


def compiled_in_float64(subject: Subject) -> tuple["CompiledSubject", list[str]]:
    """`subject` compiled in float64, and notes.

    If f rejects float64, it is compiled in the dtypes of x, and a note shows f's error.
    """
    compiled = CompiledSubject(replace(subject, x=[jnp.asarray(a, "float64") for a in subject.x]))
    try:
        _ = compiled.y
    except Exception as wrong:
        dtypes = {a.dtype.name for a in subject.x}
        if dtypes == {"float64"}:
            raise
        compiled = CompiledSubject(subject)
        _ = compiled.y
        wrong = wrong.cause if isinstance(wrong, RaisedError) else wrong
        first = (str(wrong).splitlines() or [type(wrong).__name__])[0]
        return compiled, [f"Checked in {subject.x[0].dtype} only; in float64 f raises: {first}"]
    return compiled, []


class CompiledSubject:
    """The functions of `subject`, compiled for its x. Use them within `exactly`."""

    def __init__(self, subject: Subject):
        self.subject, self.x = subject, to_host(subject.x)
        self.zeros = [np.zeros_like(a) for a in self.x]

    @cached_property
    def y(self) -> Leaves:
        return self.step(self.zeros, 0.0)[0]

    @cached_property
    def seconds(self) -> float:
        """Seconds of one evaluation of f, without compilation."""
        _, start = self.y, time.perf_counter()
        self.step(self.zeros, 0.0)
        return time.perf_counter() - start

    @property
    def large(self) -> bool:
        return sum(a.size for a in self.x) >= SMALL

    def step(self, v: Leaves, h: float) -> tuple[Leaves, Leaves | None]:
        return (self._move if h and self.large else self._step)(self.x, v, np.float64(h))

    def jvp(self, x: Leaves, v: Leaves) -> Leaves | None:
        """J v at another x, or None."""
        return self._step(x, v, np.float64(0))[1]

    def at(self, x: Leaves, v: Leaves, h: float) -> Leaves:
        """y at another x, moved by h v."""
        return self._step(x, v, np.float64(h))[0]

    def reference(self, x: Leaves, dy: Leaves) -> Leaves | None:
        x, dy = _like(x, self.x), _like(dy, self.y)
        if self._claimed_and_reference:
            return self._claimed_and_reference(x, dy)[1]
        return self._reference(x, dy) if self._reference else None

    def claimed(self, dy: Leaves) -> tuple[Leaves, Leaves]:
        return self._claimed[0](self.x, dy)

    def again(self, dy: Leaves) -> tuple[Leaves, Leaves]:
        return self._claimed[1](self.x, dy)

    def claimed_at(self, x: Leaves, dy: Leaves) -> Leaves:
        """The claimed gradient G at another x; 0 for a leaf without gradient."""
        found = self._claimed[0](_like(x, self.x), _like(dy, self.y))[1]
        return [np.zeros_like(a) if g is None else g for g, a in zip(found, x, strict=True)]

    @cached_property
    def shortest(self) -> str:
        """The dtype of lowest precision in x, y and, if JAX can trace it, the plain function."""
        return self._shortest(self._plain, self.y)

    @cached_property
    def shortest_claimed(self) -> str:
        """The dtype of lowest precision in x, y and, if JAX can trace it, the claimed gradient."""
        return self._shortest([traced.jaxpr for traced in self._claimed_traces], self.y)

    def _shortest(self, programs, also):
        used = {a.dtype.name for a in (*self.x, *also)}
        return shortest(used.union(*(dtypes_in(program.jaxpr) for program in programs)))

    @property
    def traced(self) -> bool:
        """Whether JAX can trace the plain function."""
        return bool(self._plain)

    @property
    def may_not_end(self) -> bool:
        """Whether the plain function has a while loop, which may run forever for another x."""
        return self._mentions("while")

    @property
    def sorts(self) -> bool:
        """Whether the plain function sorts, as far as JAX can trace it."""
        return self._mentions("sort", "top_k")

    @cached_property
    def deterministic(self) -> bool:
        """Whether two runs of the plain function agree."""
        if self._plain and _same(*self._plain):
            return True
        f = _as_it_is(self.subject.plain)
        return all(
            np.array_equal(a, b, equal_nan=True) for a, b in zip(f(self.x), f(self.x), strict=True)
        )

    def _mentions(self, *names):
        return any(mentions(program.jaxpr, names) for program in self._plain)

    @cached_property
    def _plain(self):
        """The plain function, traced twice; empty where JAX cannot trace it."""
        try:
            f = self.subject.plain
            return [jax.make_jaxpr(lambda x: f(x))(self.x) for _ in range(2)]
        except Exception:  # tracing may raise any error
            return []

    @cached_property
    def _step(self):
        """y and J v by one program. If JAX cannot trace it, y without J v."""
        f, args = self.subject.plain, (self.x, self.zeros, np.float64(0))
        with_jvp = lambda x, v, h: jax.jvp(f, (_moved(x, v, h),), (v,))
        return _program(with_jvp, *args) or self._move

    @cached_property
    def _move(self):
        """y without J v. For a large x, the time saved exceeds the time to compile this program."""
        moved = lambda x, v, h: (self.subject.plain(_moved(x, v, h)), None)
        return _program(moved, self.x, self.zeros, np.float64(0)) or _as_it_is(moved)

    @cached_property
    def _claimed(self):
        """Two functions that compute y and G. If both traces are equal, they share one program."""
        if not self._claimed_traces:
            return [_as_it_is(self.subject.claimed)] * 2
        first, second = self._claimed_traces
        on_host = lambda run: lambda *args: to_host(run(*args))
        both = self._claimed_and_reference
        run = (lambda *args: both(*args)[0]) if both else on_host(_compiled(first))
        again = run if _same(first.jaxpr, second.jaxpr) else on_host(_compiled(second))
        return [run, again]

    @cached_property
    def _claimed_traces(self):
        """The claimed gradient, traced twice; empty where JAX cannot trace it."""
        try:
            return [f.trace(self.x, self.y) for f in self._claimed_functions]
        except Exception:  # any error; the run without tracing raises it again
            return []

    @cached_property
    def _claimed_functions(self):
        """Two functions, because JAX traces one function only once."""
        f = self.subject.claimed
        return [jax.jit(lambda *args: f(*args)) for _ in range(2)]

    @cached_property
    def _claimed_and_reference(self):
        """The claimed gradient of the first trace, and R, by one program that computes f once.

        None if JAX cannot trace both, if R is not needed, or if x is large. For a large x, it costs
        more to compute R again in every run than to compile G and R separately.
        """
        if self.large or not self.subject.independent or not self._claimed_traces:
            return None
        claimed = self._claimed_functions[0]
        return _program(lambda x, dy: (claimed(x, dy), self._vjp(x, dy)), self.x, self.y)

    @cached_property
    def _reference(self):
        return _program(self._vjp, self.x, self.y)

    def _vjp(self, x, dy):
        return jax.vjp(self.subject.plain, x)[1](dy)[0]


def shortest(dtypes: Iterable[str]) -> str:
    """The dtype of lowest precision."""
    return min(dtypes, key=lambda name: jnp.finfo(name).bits - (name == "bfloat16"))


def _like(arrays: Leaves, others: Leaves) -> Leaves:
    """The arrays in the dtypes of the others, for which programs are compiled."""
    return [np.asarray(a, b.dtype) for a, b in zip(arrays, others, strict=True)]


def to_host(tree: Any) -> Any:
    """The tree with NumPy arrays."""
    return jax.tree.map(np.asarray, tree)


def _moved(x, v, h):
    """x + h v. An entry that does not move stays -0.0 where it is -0.0."""
    steps = [h.astype(a.dtype) * b for a, b in zip(x, v, strict=True)]
    where = lambda a: jnp.where if isinstance(a, jax.Array) else np.where
    return [where(a)(s == 0, a, a + s) for a, s in zip(x, steps, strict=True)]


def _program(f: Callable, *args) -> Callable | None:
    """f compiled for arguments of these shapes; None where JAX cannot trace it."""
    try:
        run = _compiled(jax.jit(f).trace(*args))
    except Exception:  # any error; the run without tracing raises it again
        return None
    return lambda *args: to_host(run(*args))


def _compiled(traced):
    """Compile a traced function. For a small function, LLVM's slow passes are left out."""
    small = sum(v.aval.size for v in traced.jaxpr.jaxpr.invars) < SMALL
    return traced.lower().compile(_quickly() if small else None)


@cache
def _quickly() -> dict[str, Any] | None:
    """FEW_PASSES, or None if this jaxlib lacks one of these options."""
    try:
        jax.jit(lambda: 0).lower().compile(FEW_PASSES)
    except jax.errors.JaxRuntimeError:
        return None
    return FEW_PASSES


def _as_it_is(f: Callable) -> Callable:
    """f with NumPy arrays. They are copies, because f may write into its arguments."""
    return lambda *args: to_host(f(*jax.tree.map(np.array, args)))


def _same(first, second):
    """Whether two traces are one program: equal constants, and equal text except for addresses."""
    text = lambda traced: re.sub(r"0x[0-9a-f]+", "", str(traced))
    return text(first) == text(second) and all(
        np.array_equal(a, b) for a, b in zip(first.consts, second.consts, strict=True)
    )
