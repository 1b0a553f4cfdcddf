"""Gradient, validation and cases of an elementwise function, from its slope.

    y = f(x)          dx = f'(x) dy

A table has for each operator its slope and the kinks of f. The slope is a function of y or of x,
and this array is saved. y is saved where it determines the slope, as for a function that never
decreases: the next operator often saves y too, as its input. x is saved where y does not determine
the slope, or where a rounded y makes it inexact. In half precision the slope is computed in float32
and dx is rounded once: a difference such as 1 - y may be far smaller than its terms. Numeric
options must be positive.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import jax.numpy as jnp
import numpy as np

from fcnn.ops.case import Case, extreme, ints, normals, rejects
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import Op
from fcnn.ops.validation import require, require_floats, require_numbers

Slopes = Mapping[Op, tuple[Callable, Sequence[float]]]


def differentiate(slopes: Slopes, *, of: Literal["x", "y"]) -> None:
    """Add fwd, bwd, validate and cases to every operator of the table."""
    for op, (slope, kinks) in slopes.items():
        _differentiate(op, slope, of)
        op.validate(_validate)
        op.cases = _cases(op, kinks)


def _differentiate(op, slope, of):
    @op.fwd
    def fwd(x, **options):
        y = op.forward(x, **options)
        return y, {"x": x, "y": y}[of]

    @op.bwd
    def bwd(saved, dy, **options):
        dtype = accumulation_dtype(dy.dtype)
        dx = slope(saved.astype(dtype), **options) * dy.astype(dtype)
        return (dx.astype(dy.dtype),)


def _validate(x, **options):
    require_floats(x=x)
    require_numbers(**options)
    for k, v in options.items():
        require(0 < v < math.inf, f"{k} {v} must be positive and finite")


def clipped(x, lo, hi):
    """x clipped to [lo, hi], with slope 0 at both ends; NaN stays NaN."""
    lo, hi = jnp.full_like(x, lo), jnp.full_like(x, hi)
    return jnp.where(x <= lo, lo, jnp.where(x >= hi, hi, x))


def between(y, lo, hi):
    """[lo < y < hi]."""
    return ((lo < y) & (y < hi)).astype(y.dtype)


def at_most_0(x):
    """min(x, 0)."""
    return jnp.where(x <= 0, x, jnp.zeros_like(x))


EXTREMES = {  # x where powers overflow, where slopes vanish, and where y is tiny
    "huge": lambda rng: np.array([-1e9, 1e9, -1e5, 1e5, -2e19, 2e19]),
    "largest": lambda rng: np.array([-1.7e308, 1.7e308, -1e38, 1e38, -6e4, 6e4]),
    "low tail": lambda rng: np.array([-20.0, -17, -14, -11, -9, -8]),
    "high tail": lambda rng: np.array([20.0, 17, 14, 11, 9, 8]),
    "tiny": normals((6,), 1e-30),
    "small": normals((6,), 1e-4),
}


def _cases(op, kinks):
    options = {k: op.signature.parameters[k].default for k in sorted(op.static)}
    cases = [
        Case("spread", (_away_from(kinks),)),
        Case("empty", ((0, 3),)),
        Case("far from 0", (lambda rng: np.array([-1e9, 1e9]),)),
        *(extreme(name, x) for name, x in EXTREMES.items()),
        rejects("x holds int32, not floats", ints((3,)), kind=TypeError),
    ]
    if kinks:
        cases.append(Case("at its kinks", (lambda rng: np.array(kinks, float),), kink=True))
    for k, default in options.items():
        cases += _cases_of_a_number(k, default, kinks) if isinstance(default, float) else []
    return tuple(cases)


def _cases_of_a_number(option, default, kinks):
    low, text = {option: -1.0}, {option: "none"}
    return [
        Case(f"another {option}", (_away_from(kinks),), {option: 2 * default}),
        Case("negative", ((3,),), low, raises=(ValueError, f"{option} -1.0 must be positive")),
        Case("text", ((3,),), text, raises=(TypeError, f"{option} 'none' must be a number")),
    ]


def _away_from(kinks):
    """Entries on all sides of the kinks, at least 0.1 away; one is 0 unless 0 is a kink."""

    def draw(rng):
        x = 3 * rng.standard_normal((4, 5))
        x[1, 1] = 0
        for kink in kinks:
            x = np.where(np.abs(x - kink) < 0.1, kink + 0.2, x)
        return x

    return draw
