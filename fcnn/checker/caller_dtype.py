"""The claimed gradient in the caller's dtype, for the leaves whose formula is right in float64.

In that dtype, rounding may destroy all digits of the gradient, and overflow may make it infinite.
The error of the gradient is compared with the tolerance of the dtype, and with the change of R when
x is rounded to that dtype.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from fcnn.checker.compiled import CompiledSubject
from fcnn.checker.evidence import TOLERANCE, Evidence, largest, rounding
from fcnn.checker.subject import Leaves, Subject
from fcnn.checker.verdict import KINK, NOISY, NOT_FINITE, RIGHT, Finding


def in_caller_dtype(
    subject: Subject, e: Evidence, seed: int
) -> Callable[[int, Finding], tuple[Finding, float | None]]:
    """A function of leaf i and its finding: the finding and the error in the dtype of subject.x[i].

    The error is None for a float64 leaf, and for a leaf whose gradient is not right in float64.
    The gradient is computed at the first call that needs it.
    """
    computed = cache(lambda: _claimed(subject, e))

    def judged(i: int, finding: Finding) -> tuple[Finding, float | None]:
        dtype = subject.x[i].dtype.name
        if finding.verdict not in (RIGHT, KINK) or dtype == "float64":
            return finding, None
        return _judged(e, i, finding, dtype, computed()[i], seed)

    return judged


def _claimed(subject: Subject, e: Evidence) -> Leaves:
    """G as computed in the dtypes of subject.x."""
    compiled = CompiledSubject(replace(subject, independent=False))  # R is not computed again
    try:
        types = jax.eval_shape(subject.plain, subject.x)
    except Exception:  # JAX cannot trace it
        types = compiled.y
    dy = [d.astype(t.dtype) for d, t in zip(e.dy, types, strict=True)]
    (_, found), _ = compiled.claimed(dy)
    return found


def _judged(e: Evidence, i: int, finding: Finding, dtype: str, G, seed) -> tuple[Finding, float]:
    """The finding and the error in the caller's dtype."""
    R = (e.claimed[i] if e.reference is None else e.reference[i]).astype(np.float64)
    G = np.zeros_like(R) if G is None else np.asarray(G).astype(np.float64)
    if not np.isfinite(G).all():
        at = tuple(map(int, np.argwhere(~np.isfinite(G))[0]))
        says = f"is not finite in {dtype}; in float64 it is {finding.verdict}"
        found = finding._replace(verdict=NOT_FINITE, at=at, claimed=float(G[at]), says=says)
        return found, np.inf
    eps, off = float(jnp.finfo(dtype).eps), largest(G - R)
    zero = 30 * eps * largest(e.slopes.parts) / e.slopes.sizes[i]  # rounding errors where R is 0
    top = (largest(R) if largest(R) > zero else zero / TOLERANCE[dtype]) or 1.0
    if off > max(TOLERANCE[dtype], e.loose[0]) * top and finding.verdict == RIGHT:
        rng = np.random.default_rng((seed, 3, i))
        if e.reference is None or off > 30 * rounding(e, i, rng, eps):
            says = f"loses its digits in {dtype}; in float64 it is right"
            finding = finding._replace(verdict=NOISY, says=says)
    return finding, off / top
