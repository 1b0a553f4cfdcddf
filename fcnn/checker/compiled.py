"""The functions of a subject as they are run: compiled, or as they are where JAX cannot trace them.

    step(v, h)       y = f(x + h v), and J v there by forward autodiff
    claimed(dy)      y and G, the gradient to be judged, from two runs, each traced anew
    right(x, dy)     R = Jᵀ dy by reverse autodiff of the plain function

All take and give NumPy arrays. What JAX cannot do is None: reverse autodiff of a while loop, either
autodiff of a NumPy function.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fcnn.checker.strip_rules import dtypes_in
from fcnn.checker.subject import Leaves, Subject

SMALL = 10**5  # entries in all arguments
FEW_PASSES = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


@contextmanager
def exactly() -> Iterator[None]:
    """Float64 is to be had, and products are not rounded to less than their factors.

    NumPy is silent: numbers that are not finite are judged, not warned of.
    """
    with jax.enable_x64(True), jax.default_matmul_precision("highest"), np.errstate(all="ignore"):
        yield


class CompiledSubject:
    """`subject` at its x; to be used within `exactly`."""

    def __init__(self, subject: Subject):
        self.subject, self.x = subject, to_host(subject.x)
        self.still = [np.zeros_like(a) for a in self.x]

    @cached_property
    def y(self) -> Leaves:
        return self.step(self.still, 0.0)[0]

    @property
    def large(self) -> bool:
        return sum(a.size for a in self.x) >= SMALL

    def step(self, v: Leaves, h: float) -> tuple[Leaves, Leaves | None]:
        return (self._move if h and self.large else self._step)(self.x, v, np.float64(h))

    def pushed(self, x: Leaves, v: Leaves) -> Leaves | None:
        """J v at another x, or None."""
        return self._step(x, v, np.float64(0))[1]

    def right(self, x: Leaves, dy: Leaves) -> Leaves | None:
        if self._both:
            return self._both(x, dy)[1]
        return self._right(x, dy) if self._right else None

    def claimed(self, dy: Leaves) -> list[tuple[Leaves, Leaves]]:
        return [run(self.x, dy) for run in self._claimed]

    @cached_property
    def shortest(self) -> str:
        """The shortest dtype in which the plain function computes, as far as JAX can trace."""
        return self._shortest(self._plain, self.y)

    @cached_property
    def shortest_claimed(self) -> str:
        """The same of the claimed gradient."""
        return self._shortest([traced.jaxpr for traced in self._claimed_traces], self.y)

    def _shortest(self, programs, also):
        used = {a.dtype.name for a in (*self.x, *also)}
        return shortest(used.union(*(dtypes_in(program.jaxpr) for program in programs)))

    @property
    def traced(self) -> bool:
        """Whether JAX can trace the plain function."""
        return bool(self._plain)

    @cached_property
    def steady(self) -> bool:
        """Whether two runs of the plain function agree."""
        if self._plain and _same(*self._plain):
            return True
        f = _as_it_is(self.subject.plain)
        return all(
            np.array_equal(a, b, equal_nan=True) for a, b in zip(f(self.x), f(self.x), strict=True)
        )

    @cached_property
    def _plain(self):
        """The plain function, traced twice; nothing where JAX cannot."""
        try:
            f = self.subject.plain
            return [jax.make_jaxpr(lambda x: f(x))(self.x) for _ in range(2)]
        except Exception:  # of whatever kind
            return []

    @cached_property
    def _step(self):
        """y and J v by one program, where that can be had; else y alone."""
        f, args = self.subject.plain, (self.x, self.still, np.float64(0))
        pushed = lambda x, v, h: jax.jvp(f, (_place(x, v, h),), (v,))
        return _program(pushed, *args) or self._move

    @cached_property
    def _move(self):
        """y alone, which is less to compute, and so worth a program where x is large."""
        moved = lambda x, v, h: (self.subject.plain(_place(x, v, h)), None)
        return _program(moved, self.x, self.still, np.float64(0)) or _as_it_is(moved)

    @cached_property
    def _claimed(self):
        """Two runs; one program serves both if tracing twice gave the same."""
        if not self._claimed_traces:
            return [_as_it_is(self.subject.claimed)] * 2
        first, second = self._claimed_traces
        on_host = lambda run: lambda *args: to_host(run(*args))
        both = self._both
        run = (lambda *args: both(*args)[0]) if both else on_host(_compiled(first))
        again = run if _same(first.jaxpr, second.jaxpr) else on_host(_compiled(second))
        return [run, again]

    @cached_property
    def _claimed_traces(self):
        """The claimed gradient, traced twice; nothing where JAX cannot, and as it runs says why."""
        try:
            return [f.trace(self.x, self.y) for f in self._claimed_anew]
        except Exception:  # of whatever kind
            return []

    @cached_property
    def _claimed_anew(self):
        """Two functions, since JAX traces one function once."""
        f = self.subject.claimed
        return [jax.jit(lambda *args: f(*args)) for _ in range(2)]

    @cached_property
    def _both(self):
        """The claimed gradient, as first traced, and R by one program, which computes f once.

        None where JAX cannot trace both, where R is not asked for, or where x is so large that
        running costs more.
        """
        if self.large or not self.subject.independent or not self._claimed_traces:
            return None
        claimed = self._claimed_anew[0]
        return _program(lambda x, dy: (claimed(x, dy), self._pulled(x, dy)), self.x, self.y)

    @cached_property
    def _right(self):
        return _program(self._pulled, self.x, self.y)

    def _pulled(self, x, dy):
        return jax.vjp(self.subject.plain, x)[1](dy)[0]


def shortest(dtypes: Iterable[str]) -> str:
    """Which of these has the fewest digits."""
    return min(dtypes, key=lambda name: jnp.finfo(name).bits - (name == "bfloat16"))


def to_host(tree: Any) -> Any:
    """Its arrays as NumPy's."""
    return jax.tree.map(np.asarray, tree)


def _place(x, v, h):
    return [a + h.astype(a.dtype) * b for a, b in zip(x, v, strict=True)]


def _program(f: Callable, *args) -> Callable | None:
    """f, compiled for arguments like these; None where JAX cannot trace it."""
    try:
        run = _compiled(jax.jit(f).trace(*args))
    except Exception:  # of whatever kind; as it is, the function says what is wrong
        return None
    return lambda *args: to_host(run(*args))


def _compiled(traced):
    """Small programs are compiled far longer than they run, so LLVM's slow passes are left out."""
    small = sum(v.aval.size for v in traced.jaxpr.jaxpr.invars) < SMALL
    return traced.lower().compile(_quickly() if small else None)


@cache
def _quickly() -> dict[str, Any] | None:
    """FEW_PASSES, or None where this jaxlib does not know one of them."""
    try:
        jax.jit(lambda: 0).lower().compile(FEW_PASSES)
    except jax.errors.JaxRuntimeError:
        return None
    return FEW_PASSES


def _as_it_is(f: Callable) -> Callable:
    return lambda *args: to_host(f(*to_host(args)))


def _same(first, second):
    """Whether two traces are one program: its text, but for addresses, and its constants."""
    text = lambda traced: re.sub(r"0x[0-9a-f]+", "", str(traced))
    return text(first) == text(second) and all(
        np.array_equal(a, b) for a, b in zip(first.consts, second.consts, strict=True)
    )
