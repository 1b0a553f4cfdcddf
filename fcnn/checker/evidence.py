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

from fcnn.checker.machine import Machine
from fcnn.checker.slopes import Slopes, flat
from fcnn.checker.subject import Leaves

TOLERANCE = {"float64": 1e-10, "float32": 3e-4, "float16": 3e-2, "bfloat16": 1e-1}


class Evidence(NamedTuple):
    """Lists have an entry per leaf."""

    machine: Machine
    slopes: Slopes
    dy: Leaves
    y: Leaves  # as the claimed gradient's own forward gives it
    claimed: Leaves
    again: Leaves
    right: Leaves | None


def gather(machine: Machine, seed: int, rounded: str = "float64") -> Evidence:
    """Draw dy, rounded to a dtype, and ask."""
    rng = np.random.default_rng((seed, 1))
    draw = lambda y: np.where(np.isfinite(y), rng.standard_normal(y.shape), 0)
    return ask(machine, [draw(y).astype(jnp.dtype(rounded)).astype(y.dtype) for y in machine.y])


def ask(machine: Machine, dy: Leaves) -> Evidence:
    """What there is to know at dy."""
    (y, claimed), (_, again) = machine.claimed(dy)
    filled = lambda gs: [
        np.zeros_like(x) if g is None else np.asarray(g) for g, x in zip(gs, machine.x, strict=True)
    ]
    right = machine.right(machine.x, dy) if machine.subject.independent else None
    return Evidence(machine, Slopes(machine, dy), dy, y, filled(claimed), filled(again), right)


def forward(e: Evidence, v: Leaves) -> float | None:
    """<dy, J v> by forward autodiff; None where JAX has none."""
    pushed = e.machine.step(v, 0.0)[1]
    return None if pushed is None else float(np.vdot(e.slopes.dy, flat(pushed)))


def rounding(e: Evidence, i: int, rng: np.random.Generator, eps: float | None = None) -> float:
    """By how much R changes when x is rounded, to `eps` or to its dtype: the worst of two draws."""
    here = e.right or e.machine.right(e.machine.x, e.dy)
    if here is None:
        return 0.0
    near = [[_nudged(a, rng, eps) for a in e.machine.x] for _ in range(2)]
    there = [e.machine.right(x, e.dy) or here for x in near]
    return max(largest(R[i] - here[i]) for R in there)


def size_of(x: np.ndarray) -> float:
    """The root mean square of what is finite in x, or 1 where that is 0."""
    finite = x[np.isfinite(x)].astype(np.float64)
    top = np.abs(finite).max(initial=0)
    return float(top * np.sqrt(np.square(finite / top).mean())) if top > 0 else 1.0


def largest(*arrays: Any) -> float:
    """The size of the largest finite entry, or 0."""
    finite = (np.abs(a)[np.isfinite(a)] for a in map(np.atleast_1d, arrays))
    return max((float(a.max(initial=0)) for a in finite), default=0.0)


def _nudged(x, rng, eps):
    eps = eps or jnp.finfo(x.dtype).eps
    return (x * (1 + eps * rng.choice([-1.0, 1.0], x.shape))).astype(x.dtype)
