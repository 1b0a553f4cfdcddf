"""What everybody says of a gradient, computed once for all leaves.

    G       the gradient to be judged, from two runs
    R       Jᵀ dy by reverse autodiff of the plain function, where that is another program
    slopes  of <dy, f>, by differences, along any direction
    J v     by forward autodiff

dy is drawn at random: with ones, mistakes that add up to nothing would pass. An output that is not
finite has no slope; its cotangent is 0.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from fcnn.checker.compiled import CompiledSubject, shortest
from fcnn.checker.finite_differences import Slopes, flat
from fcnn.checker.subject import Leaves

TOLERANCE = {"float64": 1e-10, "float32": 3e-4, "float16": 3e-2, "bfloat16": 1e-1}


def tolerance(dtype: str) -> float:
    """What entries may differ by, relative to the largest."""
    return TOLERANCE.get(dtype, TOLERANCE["float64"])


class Evidence(NamedTuple):
    """Lists have an entry per leaf."""

    compiled: CompiledSubject
    slopes: Slopes
    dy: Leaves
    y: Leaves  # as the claimed gradient's own forward gives it
    claimed: Leaves
    again: Leaves
    right: Leaves | None
    own: str  # the caller's dtype

    @property
    def loose(self) -> tuple[float, str]:
        """The tolerance that the dtypes used inside account for, and the dtype that sets it.

        A claimed gradient may compute in a shorter dtype than the plain function, but is then held
        to the caller's.
        """
        claimed = min(self.shortest_claimed, self.own, key=tolerance)
        short = max(self.compiled.shortest, claimed, key=tolerance)
        return tolerance(short), short

    @property
    def shortest_claimed(self) -> str:
        """The shortest dtype in which the claimed gradient computes, or which it has."""
        names = {g.dtype.name for g in self.claimed if jnp.issubdtype(g.dtype, jnp.floating)}
        return shortest({self.compiled.shortest_claimed, *names})


def gather(compiled: CompiledSubject, seed: int, own: str = "float64") -> Evidence:
    """Draw dy, rounded to the caller's dtype, and ask."""
    rng = np.random.default_rng((seed, 1))
    draw = lambda y: np.where(np.isfinite(y), rng.standard_normal(y.shape), 0)
    dy = [draw(y).astype(jnp.dtype(own)).astype(y.dtype) for y in compiled.y]
    return ask(compiled, dy, own)


def ask(compiled: CompiledSubject, dy: Leaves, own: str) -> Evidence:
    """What there is to know at dy."""
    (y, claimed), (_, again) = compiled.claimed(dy)
    filled = lambda gs: [
        np.zeros_like(x) if g is None else np.asarray(g)
        for g, x in zip(gs, compiled.x, strict=True)
    ]
    right = compiled.right(compiled.x, dy) if compiled.subject.independent else None
    slopes = Slopes(compiled, dy)
    return Evidence(compiled, slopes, dy, y, filled(claimed), filled(again), right, own)


def forward(e: Evidence, v: Leaves) -> float | None:
    """<dy, J v> by forward autodiff; None where JAX has none."""
    pushed = e.compiled.step(v, 0.0)[1]
    return None if pushed is None else float(np.vdot(e.slopes.dy, flat(pushed)))


def rounding(e: Evidence, i: int, rng: np.random.Generator, eps: float | None = None) -> float:
    """By how much R changes when x is rounded, to `eps` or to its dtype: the worst of two draws."""
    here = e.right or e.compiled.right(e.compiled.x, e.dy)
    if here is None:
        return 0.0
    near = [[_nudged(a, rng, eps) for a in e.compiled.x] for _ in range(2)]
    there = [e.compiled.right(x, e.dy) or here for x in near]
    return max(largest(R[i] - here[i]) for R in there)


def largest(*arrays: Any) -> float:
    """The size of the largest finite entry, or 0."""
    finite = (np.abs(a)[np.isfinite(a)] for a in map(np.atleast_1d, arrays))
    return max((float(a.max(initial=0)) for a in finite), default=0.0)


def _nudged(x, rng, eps):
    eps = eps or jnp.finfo(x.dtype).eps
    return (x * (1 + eps * rng.choice([-1.0, 1.0], x.shape))).astype(x.dtype)
