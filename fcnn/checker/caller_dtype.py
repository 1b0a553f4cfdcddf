"""The claimed gradient in the caller's dtype, for the leaves whose formula is right in float64.

In that dtype, rounding may destroy all digits of the gradient, and overflow may make it infinite.
The gradient is compared with the same formula in float64. Its error may be as large as the
tolerance of the dtype, as the change of R when x is rounded to that dtype, or as the error of
autodiff in that dtype.

A function that draws random numbers in the dtype of x is another function in float64. Its gradient
is compared with autodiff in the caller's dtype, and a wrong gradient is judged again in this dtype.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from fcnn.checker.compiled import CompiledSubject
from fcnn.checker.evidence import TOLERANCE, Evidence, gather, largest, rounding, tolerance
from fcnn.checker.kink import judge_together
from fcnn.checker.strip_rules import draws_random_numbers
from fcnn.checker.subject import Leaves, Subject
from fcnn.checker.verdict import (
    KINK,
    NOISY,
    NOT_FINITE,
    RIGHT,
    WRONG,
    Finding,
    verdicts,
)


def in_caller_dtype(
    subject: Subject, e: Evidence, seed: int
) -> Callable[[int, Finding], tuple[Finding, float | None]]:
    """A function of leaf i and its finding: the finding and the error in the dtype of subject.x[i].

    The error is None for a float64 leaf, and for a leaf whose gradient is not right in float64.
    The gradient is computed at the first call that needs it.
    """
    own = InDtype(subject, e, seed)

    def judged(i: int, finding: Finding) -> tuple[Finding, float | None]:
        if subject.x[i].dtype.name == "float64":
            return finding, None
        if finding.verdict in (RIGHT, KINK):
            return _judged(own, i, finding)
        return (_judged_again(own, i, finding) if own.draws_others else finding), None

    return judged


class InDtype:
    """G and R as computed in the dtypes of subject.x."""

    def __init__(self, subject: Subject, e: Evidence, seed: int):
        self.subject, self.e, self.seed = subject, e, seed
        try:
            self.program, types = jax.make_jaxpr(subject.plain, return_shape=True)(subject.x)
        except Exception:  # JAX cannot trace it
            self.program, types = None, e.compiled.y
        self.dy = [d.astype(t.dtype) for d, t in zip(e.dy, types, strict=True)]

    @cached_property
    def claimed(self) -> tuple[Leaves, Leaves]:
        """y and G; R is not computed."""
        return CompiledSubject(replace(self.subject, independent=False)).claimed(self.dy)

    @cached_property
    def compiled(self) -> CompiledSubject:
        return CompiledSubject(self.subject)

    @cached_property
    def reference(self) -> Leaves | None:
        """R; None where it is G itself or cannot be computed."""
        if not self.subject.independent:
            return None
        return self.compiled.reference(self.compiled.x, self.dy)

    @cached_property
    def draws_others(self) -> bool:
        """Whether f draws random numbers in the dtype of x, unlike f in float64."""
        if self.program is None or not draws_random_numbers(self.program.jaxpr):
            return False
        pairs = zip(self.claimed[0], self.e.compiled.y, strict=False)
        return any(
            largest(p.astype(np.float64) - q) > tolerance(p.dtype.name) * largest(q)
            for p, q in pairs
        )

    @cached_property
    def findings(self) -> list[Finding]:
        """The findings of all leaves in the caller's dtype."""
        e = gather(self.compiled, self.seed, self.e.caller_dtype)
        return judge_together(e, [*verdicts(e, self.seed)], self.seed)


def _judged(own: InDtype, i: int, finding: Finding) -> tuple[Finding, float]:
    """The finding and the error in the caller's dtype."""
    e, dtype = own.e, own.subject.x[i].dtype.name
    R, G = e.claimed[i].astype(np.float64), _as_float64(own.claimed[1][i], e.claimed[i])
    if not np.isfinite(G).all():
        at = tuple(map(int, np.argwhere(~np.isfinite(G))[0]))
        says = f"is not finite in {dtype}; in float64 it is {finding.verdict}"
        found = finding._replace(verdict=NOT_FINITE, at=at, claimed=float(G[at]), says=says)
        return found, np.inf
    if own.draws_others:
        R = G if own.reference is None else _as_float64(own.reference[i], R)
    eps, off = float(jnp.finfo(dtype).eps), largest(G - R)
    zero = 30 * eps * largest(e.slopes.parts) / e.slopes.sizes[i]  # rounding errors where R is 0
    top = (largest(R) if largest(R) > zero else zero / TOLERANCE[dtype]) or 1.0
    most = max(TOLERANCE[dtype], e.loose[0]) * top
    if off > most and finding.verdict == RIGHT and not _as_good_as_autodiff(own, i, G, off, most):
        rng = np.random.default_rng((own.seed, 3, i))
        if e.compiled.reference(e.compiled.x, e.dy) is None or off > 30 * rounding(e, i, rng, eps):
            says = f"loses its digits in {dtype}; in float64 it is right"
            finding = finding._replace(verdict=NOISY, says=says)
    return finding, off / top


def _as_good_as_autodiff(own: InDtype, i: int, G: np.ndarray, off: float, most: float) -> bool:
    """Whether G has the error of autodiff in the caller's dtype."""
    if own.draws_others or own.reference is None:
        return False
    R = _as_float64(own.reference[i], G)
    return bool(np.isfinite(R).all()) and largest(G - R) <= most


def _judged_again(own: InDtype, i: int, finding: Finding) -> Finding:
    """The finding in the caller's dtype, if it is right there and such an error would be seen."""
    dtype = own.subject.x[i].dtype.name
    if finding.verdict not in (WRONG, NOISY) or not finding.error > TOLERANCE[dtype]:
        return finding
    if own.findings[i].verdict not in (RIGHT, KINK):
        return finding
    says = f"is right in {dtype}; f draws other random numbers in float64"
    return own.findings[i]._replace(says=says)


def _as_float64(a, like):
    return np.zeros(like.shape) if a is None else np.asarray(a).astype(np.float64)
