"""The evidence on a claimed gradient, computed once for all leaves.

    G       the claimed gradient, from two runs; the second one is for -1024 dy, because a gradient
            is linear in dy
    R       the reference Jᵀ dy, by reverse autodiff of the plain function; None if that is G itself
    slopes  of <dy, f>, by finite differences, along any direction
    J v     by forward autodiff

dy is random: with dy = 1, mistakes that cancel in a sum would go unnoticed. An output that is not
finite has no slope, and its cotangent is 0.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from fcnn.checker.compiled import CompiledSubject, shortest
from fcnn.checker.finite_differences import Slopes, flat
from fcnn.checker.subject import Leaves
from fcnn.ops.validation import did_you_mean

TOLERANCE = {"float64": 1e-10, "float32": 3e-4, "float16": 3e-2, "bfloat16": 1e-1}
SCALE = -1024  # of dy, for which the gradient is computed too
SECONDS = 40  # limit for each part of a check that evaluates f many times


def known_dtype(dtype: Any) -> str:
    """The name of a dtype that has a tolerance.

    Raises: ValueError for any other dtype.
    """
    try:
        name = jnp.dtype(dtype).name
    except TypeError:
        name = str(dtype)
    if name not in TOLERANCE:
        expected = f"{', '.join(TOLERANCE)}{did_you_mean(name, TOLERANCE)}"
        raise ValueError(f"check: unknown dtype {name}; expected one of {expected}")
    return name


def dtype_of(leaf: Any, is_complex: bool, dtype: str | None) -> str:
    """The dtype in which a leaf is checked too: `dtype`, or its own.

    The parts of a complex leaf have at least float32, because JAX has no shorter complex dtype.
    """
    name = dtype or known_dtype(leaf.dtype)
    return "float32" if is_complex and name != "float64" else name


def tolerance(dtype: str) -> float:
    """The allowed difference of entries, relative to the largest entry."""
    return TOLERANCE.get(dtype, TOLERANCE["float64"])


class Evidence(NamedTuple):
    """The evidence at one x and dy; lists have an entry per leaf."""

    compiled: CompiledSubject
    slopes: Slopes
    dy: Leaves
    y: Leaves  # the output of the claimed gradient's forward pass
    claimed: Leaves  # G
    repeat: Leaves  # G of a second run
    scaled: Leaves  # the gradient for SCALE dy, divided by SCALE
    reference: Leaves | None  # R
    caller_dtype: str
    confirmed: dict[int, float]  # the error of each leaf that `together.py` has tested

    @property
    def loose(self) -> tuple[float, str]:
        """The tolerance of the lowest precision used internally, and the name of that dtype.

        If the claimed gradient computes in lower precision than the plain function, the tolerance
        grows at most to the tolerance of the caller's dtype.
        """
        claimed = min(self.shortest_claimed, self.caller_dtype, key=tolerance)
        short = max(self.compiled.shortest, claimed, key=tolerance)
        return tolerance(short), short

    @property
    def shortest_claimed(self) -> str:
        """The dtype of lowest precision in which the claimed gradient is computed or returned."""
        dtypes = {g.dtype for g in self.claimed}
        names = {dtype.name for dtype in dtypes if jnp.issubdtype(dtype, jnp.floating)}
        return shortest({self.compiled.shortest_claimed, *names})

    def affordable(self, evaluations: int) -> int:
        """How often each leaf may be tested within SECONDS, by `evaluations` of f for each test."""
        once = evaluations * self.compiled.seconds * len(self.compiled.x)
        return int(min(SECONDS / once, 1e9))


def gather(compiled: CompiledSubject, seed: int, caller_dtype: str = "float64") -> Evidence:
    """The evidence at a random dy that is rounded to the caller's dtype."""
    return evidence_at(compiled, cotangent(compiled, seed, caller_dtype), caller_dtype)


def cotangent(compiled: CompiledSubject, seed: int, dtype: str = "float64") -> Leaves:
    """Normal random numbers for each finite output, rounded to `dtype`."""
    rng = np.random.default_rng((seed, 1))
    draw = lambda y: np.where(np.isfinite(y), rng.standard_normal(y.shape), 0)
    return [draw(y).astype(jnp.dtype(dtype)).astype(y.dtype) for y in compiled.y]


def evidence_at(compiled: CompiledSubject, dy: Leaves, caller_dtype: str) -> Evidence:
    """The evidence at dy."""
    filled = lambda gs: [
        np.zeros_like(x) if g is None else np.asarray(g)
        for g, x in zip(gs, compiled.x, strict=True)
    ]
    y, claimed = compiled.claimed(dy)
    claimed = filled(claimed)
    scaled = repeat = _scaled(compiled, dy, filled)
    if not scaled or not all(map(_equal, scaled, claimed)):  # a power of 2 does not round
        repeat = filled(compiled.again(dy)[1])
    if not scaled:
        scaled = repeat
    reference = compiled.reference(compiled.x, dy) if compiled.subject.independent else None
    slopes = Slopes(compiled, dy)
    return Evidence(compiled, slopes, dy, y, claimed, repeat, scaled, reference, caller_dtype, {})


def _scaled(compiled, dy, filled):
    """The gradient for SCALE dy, divided by SCALE; [] if it may overflow."""
    if "float16" in (compiled.shortest, compiled.shortest_claimed):
        return []
    try:
        found = filled(compiled.again([SCALE * d for d in dy])[1])
    except Exception:  # the backward pass may refuse large values
        return []
    return [a / np.asarray(SCALE, a.dtype) for a in found]


def _equal(a, b):
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=True)


def does_not_depend_on_dy(e: Evidence, i: int) -> bool:
    """Whether the gradient of leaf i is the same for SCALE dy as for dy, and not 0."""
    G = e.claimed[i]
    return bool(G.any()) and np.array_equal(SCALE * e.scaled[i], G)


def not_linear(e: Evidence, i: int, most: float) -> str:
    """The sentence on a gradient that is not linear in dy, or "".

    A gradient that does not depend on dy at all has a name of its own.
    """
    G, scaled = e.claimed[i], e.scaled[i]
    if scaled.shape != G.shape or not G.size or does_not_depend_on_dy(e, i):
        return ""
    off = np.where(np.isfinite(scaled), np.abs(scaled - G), 0)
    k = int(off.argmax())
    if off.flat[k] <= most:
        return ""
    return (
        f"is not linear in dy: {SCALE} dy gives {SCALE * scaled.flat[k] + 0.0:.6g} at one entry, "
        f"not {SCALE * G.flat[k] + 0.0:.6g}"
    )


def forward(e: Evidence, v: Leaves) -> float | None:
    """<dy, J v> by forward autodiff; None where JAX has no forward mode."""
    pushed = e.compiled.step(v, 0.0)[1]
    return None if pushed is None else float(np.vdot(e.slopes.dy, flat(pushed)))


def rounding(e: Evidence, i: int, rng: np.random.Generator, eps: float | None = None) -> float:
    """The change of R when each entry of x is multiplied by 1 + eps or 1 - eps, at random.

    Entries of equal magnitude change by the same factor, so that ties stay ties.
    The larger change of two random draws counts. Without `eps`, the eps of x's dtype is used.
    """
    R_at_x = e.reference or e.compiled.reference(e.compiled.x, e.dy)
    if R_at_x is None:
        return 0.0
    factors = rng.integers(2**63, size=2, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    near = [[_nudged(a, factor, eps) for a in e.compiled.x] for factor in factors]
    R_nearby = [e.compiled.reference(x, e.dy) or R_at_x for x in near]
    return max(largest(R[i] - R_at_x[i]) for R in R_nearby)


def largest(*arrays: Any) -> float:
    """The magnitude of the largest finite entry, or 0."""
    finite = (np.abs(a)[np.isfinite(a)] for a in map(np.atleast_1d, arrays))
    return max((float(a.max(initial=0)) for a in finite), default=0.0)


def _nudged(x, factor, eps):
    """x with each entry multiplied by 1 + eps or 1 - eps, by a hash of its magnitude."""
    eps = eps or jnp.finfo(x.dtype).eps
    bits = np.abs(x).astype(np.float64).view(np.uint64)
    signs = np.where(bits * factor >> np.uint64(63), 1.0, -1.0)
    return (x * (1 + eps * signs)).astype(x.dtype)
