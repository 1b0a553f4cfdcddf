"""Min-max scaling: stretch the entries that are pooled together from a to b.

    lo = min x      hi = max x      t = (x - lo) / (hi - lo)      y = a + (b - a) t

Each entry moves its own t, and the two extremes move all of them: dt / dlo = (t - 1) / (hi - lo)
and dt / dhi = -t / (hi - lo), so with dt = (b - a) dy and sums over the pooled entries

    dx = (dt + [first minimum] sum dt (t - 1) - [first maximum] sum dt t) / (hi - lo)

Ties go to the first extreme, in row-major order. Where all entries are equal, or no normal number
apart, y = a and dx = 0. x is divided by 8 first, which leaves t as it is, so that neither hi - lo
nor its reciprocal leaves the range of numbers. Saved are t, 1 / (hi - lo) and the places of both
extremes.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.normalization.channels import extremes
from fcnn.ops.op import Case, ints, operator, rejects
from fcnn.ops.validation import require, require_floats, require_integers, require_numbers


@operator()
def min_max_scale(
    x: Float[Array, "..."],
    *,
    to: tuple[float, float] = (0.0, 1.0),
    axis: int | tuple[int, ...] | None = None,
) -> Float[Array, "..."]:
    """Stretch each example so that its smallest entry becomes to[0] and its largest to[1].

    Shapes: any; y has the shape of x. `axis` says what is pooled: by default all axes but the
            first; axis=0 scales each feature over the batch.
    Units:  x's own in, plain numbers out.
    Raises: ValueError unless to[0] < to[1], and if x has nothing along `axis`; TypeError for
            integers.
    Cost:   about 8 operations per entry forward, 10 back.
    Source: Han, Kamber & Pei 2011, "Data Mining", section 3.5.2.
    """
    return min_max_scale_fwd(x, to=to, axis=axis)[0]


@min_max_scale.fwd
def min_max_scale_fwd(x, *, to, axis):
    eighth = _rows(x.astype(accumulation_dtype(x.dtype)) / 8, axis)  # (rest, pooled)
    places = eighth.argmin(1), eighth.argmax(1)
    lo, hi = (jnp.where(_first(at, eighth), eighth, 0).sum(1, keepdims=True) for at in places)
    apart = ~(hi - lo < jnp.finfo(eighth.dtype).tiny)  # NaN too, and stays NaN
    gap = jnp.where(apart, hi - lo, jnp.ones_like(lo))
    unit = lax.stop_gradient(gap)  # autodiff of a quotient would square the gap, and overflow
    t = jnp.where(apart, (eighth - lo) / unit / (gap / unit), jnp.zeros_like(eighth))
    y = _unrows(to[0] + (to[1] - to[0]) * t, x.shape, axis).astype(x.dtype)
    return y, (t.astype(x.dtype), jnp.where(apart, 0.125 / gap, jnp.zeros_like(gap)), *places)


@min_max_scale.bwd
def min_max_scale_bwd(saved, dy, *, to, axis):
    t, slope, *places = saved
    dt = (to[1] - to[0]) * _rows(dy.astype(slope.dtype), axis)
    t = t.astype(slope.dtype)
    lo, hi = (_first(at, t) for at in places)
    total = lambda a: a.sum(1, keepdims=True)
    moved = jnp.where(lo, total(dt * (t - 1)), 0) - jnp.where(hi, total(dt * t), 0)
    return (_unrows(slope * (dt + moved), dy.shape, axis).astype(dy.dtype),)


@min_max_scale.validate
def _validate(x, *, to, axis):
    require_floats("min_max_scale", x=x)
    pair = isinstance(to, tuple) and len(to) == 2
    require(pair, f"min_max_scale: to {to!r} must be two numbers, the smallest and the largest")
    require_numbers("min_max_scale", **{"to[0]": to[0], "to[1]": to[1]})
    require(to[0] < to[1], f"min_max_scale: to {to} must rise")
    if axis is not None:
        require_integers("min_max_scale", axis=axis)
        for a in axis if isinstance(axis, tuple) else (axis,):
            require(-x.ndim <= a < x.ndim, f"min_max_scale: x {x.shape} has no axis {a}")
    pooled = _pooled(x.ndim, axis)
    once = len(set(pooled)) == len(pooled)
    require(once, f"min_max_scale: axis {axis} names an axis twice")
    some = len(pooled) > 0 and all(x.shape[a] > 0 for a in pooled)
    require(some, f"min_max_scale: x {x.shape} has nothing along axis {axis or pooled}")


def _first(at, like):
    """True at one place of each row."""
    return jax.nn.one_hot(at, like.shape[1], dtype=bool)


def _rows(a, axis):
    """Any shape -> (rest, pooled)."""
    pooled = _pooled(a.ndim, axis)
    length = math.prod(a.shape[i] for i in pooled)
    return a.transpose(_order(a.ndim, pooled)).reshape(a.size // length, length)


def _unrows(rows, shape, axis):
    """The inverse of `_rows`."""
    order = _order(len(shape), _pooled(len(shape), axis))
    back = sorted(range(len(shape)), key=order.__getitem__)
    return rows.reshape([shape[i] for i in order]).transpose(back)


def _order(rank, pooled):
    return (*(i for i in range(rank) if i not in pooled), *pooled)


def _pooled(rank, axis):
    """Which axes are pooled, as numbers from 0, rising."""
    axes = range(1, rank) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return tuple(sorted(a % rank for a in axes))


min_max_scale.cases = (
    Case("rows", ((3, 4),)),
    Case("images to -1 and 1", ((2, 3, 2, 2),), {"to": (-1.0, 1.0)}),
    Case("features over the batch", ((5, 3),), {"axis": 0, "to": (0.25, 4.0)}),
    Case("two axes", ((3, 2, 4),), {"axis": (2, 0)}),
    Case("huge", (lambda rng: 1e308 * np.array([[-1.5, 0.5, 1.5], [0.1, 1.7, -1.0]]),)),
    Case("tiny", (lambda rng: 1e-290 * np.array([[1.0, 2.5, 0.0]]),)),
    Case("no examples", ((0, 4),)),
    *extremes((3, 6), to=(-1.0, 1.0)),
    Case("ties", (lambda rng: np.array([[2.0, 0.0, 2.0, 0.0, 1.0]]),), kink=True),
    Case("constant", (lambda rng: np.full((2, 3), 7.0),), kink=True),
    rejects("to (.*) must rise", (3, 4), to=(1.0, 0.0)),
    rejects("to 1.0 must be two numbers", (3, 4), to=1.0),
    rejects(r"to\[1\] 'b' must be a number", (3, 4), to=(0, "b"), kind=TypeError),
    rejects("has no axis 2", (3, 4), axis=2),
    rejects("names an axis twice", (3, 4), axis=(1, -1)),
    rejects("axis 1.0 must be an integer", (3, 4), axis=1.0, kind=TypeError),
    rejects(r"x \(3,\) has nothing along axis \(\)", (3,)),
    rejects(r"x \(3, 0\) has nothing along axis 1", (3, 0), axis=1),
    rejects("x holds int32", ints((3, 4)), kind=TypeError),
)
min_max_scale.torch_difference = "none there: compared with the formula"
