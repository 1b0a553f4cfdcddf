"""Min-max scaling: map each set of pooled entries linearly to the range from a to b.

    lo = min x      hi = max x      t = (x - lo) / (hi - lo)      y = a + (b - a) t

Each entry changes its own t, and the two extremes change every t:

    dt / dlo = (t - 1) / (hi - lo)      dt / dhi = -t / (hi - lo)

So with dt = (b - a) dy, and sums over the pooled entries,

    dx = (dt + [first minimum] sum dt (t - 1) - [first maximum] sum dt t) / (hi - lo)

If several entries equal an extreme, the first in row-major order gets its gradient. Where all
entries are equal, or hi - lo is below 8 times the smallest normal number, y = a and dx = 0. x is
divided by 8 first, so that neither hi - lo nor its reciprocal overflows. t stays the same.
t, 1 / (hi - lo) and the indices of both extremes are saved.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from fcnn.ops.case import Case, ints, rejects
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.normalization.channels import extremes
from fcnn.ops.op import operator
from fcnn.ops.validation import require, require_floats, require_integers, require_numbers


@operator()
def min_max_scale(
    x: Float[Array, "..."],
    *,
    to: tuple[float, float] = (0.0, 1.0),
    axis: int | tuple[int, ...] | None = None,
) -> Float[Array, "..."]:
    """Min-max scaling: map each example linearly, so that its entries span the range `to`.

    Shapes: x of any shape -> y of the same shape.
    Options:
        to: the range, as (smallest, largest).
        axis: the axes that are scaled together; all but the first if None. axis=0 scales each
            feature over the batch.
    Units:  plain numbers.
    Raises: ValueError unless to[0] < to[1], if x has no such axis, or no entries along it;
            TypeError if x does not hold floats.
    Cost:   about 8 operations per entry forward, 10 back.
    Source: Han, Kamber & Pei 2011, "Data Mining", section 3.5.2.

    >>> fcnn.min_max_scale(jnp.array([[1.0, 3.0, 5.0], [0.0, 1.0, 4.0]]))
    Array([[0.  , 0.5 , 1.  ],
           [0.  , 0.25, 1.  ]], dtype=float32)
    """
    return min_max_scale_fwd(x, to=to, axis=axis)[0]


@min_max_scale.fwd
def min_max_scale_fwd(x, *, to, axis):
    eighth = _rows(x.astype(accumulation_dtype(x.dtype)) / 8, axis)  # (rest, pooled)
    extreme = eighth.argmin(1), eighth.argmax(1)
    lo, hi = (jnp.where(_at(i, eighth), eighth, 0).sum(1, keepdims=True) for i in extreme)
    differ = ~(hi - lo < jnp.finfo(eighth.dtype).tiny)  # True if hi - lo is NaN: y is NaN
    gap = jnp.where(differ, hi - lo, jnp.ones_like(lo))
    unit = lax.stop_gradient(gap)  # autodiff of a quotient squares the gap, which may overflow
    t = jnp.where(differ, (eighth - lo) / unit / (gap / unit), jnp.zeros_like(eighth))
    y = _unrows(to[0] + (to[1] - to[0]) * t, x.shape, axis).astype(x.dtype)
    return y, (t.astype(x.dtype), jnp.where(differ, 0.125 / gap, jnp.zeros_like(gap)), *extreme)


@min_max_scale.bwd
def min_max_scale_bwd(saved, dy, *, to, axis):
    t, slope, *extreme = saved
    dt = (to[1] - to[0]) * _rows(dy.astype(slope.dtype), axis)
    t = t.astype(slope.dtype)
    lo, hi = (_at(i, t) for i in extreme)
    total = lambda a: a.sum(1, keepdims=True)
    through_extremes = jnp.where(lo, total(dt * (t - 1)), 0) - jnp.where(hi, total(dt * t), 0)
    return (_unrows(slope * (dt + through_extremes), dy.shape, axis).astype(dy.dtype),)


@min_max_scale.validate
def _validate(x, *, to, axis):
    require_floats(x=x)
    pair = isinstance(to, tuple) and len(to) == 2
    require(pair, f"to {to!r} must be two numbers; write to=(smallest, largest)")
    require_numbers(**{"to[0]": to[0], "to[1]": to[1]})
    require(to[0] < to[1], f"to {to} must be (smallest, largest)")
    if axis is not None:
        require_integers(axis=axis)
        for a in axis if isinstance(axis, tuple) else (axis,):
            require(-x.ndim <= a < x.ndim, f"x {x.shape} has no axis {a}")
    pooled = _pooled(x.ndim, axis)
    unique = len(set(pooled)) == len(pooled)
    require(unique, f"axis {axis} has an axis twice")
    has_entries = len(pooled) > 0 and all(x.shape[a] > 0 for a in pooled)
    require(has_entries, f"x {x.shape} has no entries along axis {axis or pooled}")


def _at(index, like):
    """True at one index of each row."""
    return jax.nn.one_hot(index, like.shape[1], dtype=bool)


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
    """The axes that are pooled, as increasing indices from 0."""
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
    rejects(r"to \(1.0, 0.0\) must be", (3, 4), to=(1.0, 0.0)),
    rejects("to 1.0 must be two numbers", (3, 4), to=1.0),
    rejects(r"to\[1\] 'b' must be a number", (3, 4), to=(0, "b"), kind=TypeError),
    rejects("has no axis 2", (3, 4), axis=2),
    rejects("has an axis twice", (3, 4), axis=(1, -1)),
    rejects("axis 1.0 must be an integer", (3, 4), axis=1.0, kind=TypeError),
    rejects(r"x \(3,\) has no entries along axis \(\)", (3,)),
    rejects(r"x \(3, 0\) has no entries along axis 1", (3, 0), axis=1),
    rejects("x holds int32", ints((3, 4)), kind=TypeError),
)
min_max_scale.torch_difference = "torch has none; the test compares with the formula"
