"""Gated linear units: one half of x is the gate of the other half.

With the halves a, b of x along one axis, s = 1 / (1 + exp(-b)) and r = 1 / (1 + exp(-a)),

    glu      y = a s           da = dy s                          db = dy a s (1 - s)
    swiglu   y = a r b         da = dy b r (1 + a (1 - r))        db = dy a r

dx is [da, db], concatenated. Only x is saved. Factors that may be 0 are multiplied first: dy a can
overflow where dy (a s (1 - s)) is 0. Where s or r is 0, its products are 0 even if the other half
is infinite, as in `gelu.py`. Half precision is computed in float32 and rounded once, at the end. As
in the papers, the gate is the second half of x in glu, and the first half in swiglu.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fcnn.ops.activation.elementwise import EXTREMES
from fcnn.ops.activation.gelu import silu, silu_slope, times
from fcnn.ops.case import Case, extreme, ints, rejects
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import operator
from fcnn.ops.validation import require, require_axis, require_floats

X = Float[Array, "..."]


@operator()
def glu(x: X, *, axis: int = -1) -> X:
    """Gated linear unit: the first half of x along one axis times the sigmoid of the second half.

    Shapes: x (..., 2 k, ...) -> y (..., k, ...), with 2 k entries along `axis`.
    Options:
        axis: the axis that is halved; the last by default.
    Units:  those of x.
    Raises: ValueError if x has no such axis, or an odd size along it; TypeError if x does not hold
            floats.
    Cost:   one exponential per output; x is saved.
    Source: Dauphin et al., arXiv:1612.08083.

    >>> fcnn.glu(jnp.array([[2.0, 0.0], [2.0, 200.0]]))
    Array([[1.],
           [2.]], dtype=float32)
    """
    a, b = _halves(x, axis)
    return times(a, jax.nn.sigmoid(b)).astype(x.dtype)


@glu.fwd
def glu_fwd(x, *, axis):
    return glu.forward(x, axis=axis), x


@glu.bwd
def glu_bwd(x, dy, *, axis):
    a, b = _halves(x, axis)
    s = jax.nn.sigmoid(b)
    return (_concatenated(dy, s, times(a, s * (1 - s)), axis),)


@operator()
def swiglu(x: X, *, axis: int = -1) -> X:
    """Swish-gated linear unit: silu of the first half of x along one axis, times the second half.

    With [w, v] the columns of w and then of v, swiglu(dense(x, [w, v])) = silu(x w) * (x v).

    Shapes: x (..., 2 k, ...) -> y (..., k, ...), with 2 k entries along `axis`.
    Options:
        axis: the axis that is halved; the last by default.
    Units:  those of x, squared.
    Raises: ValueError if x has no such axis, or an odd size along it; TypeError if x does not hold
            floats.
    Cost:   one exponential per output; x is saved.
    Source: Shazeer, arXiv:2002.05202.

    >>> fcnn.swiglu(jnp.array([[200.0, 3.0], [-200.0, 3.0]]))
    Array([[600.],
           [  0.]], dtype=float32)
    """
    a, b = _halves(x, axis)
    return (silu.forward(a, beta=1.0) * _passed(a, b)).astype(x.dtype)


@swiglu.fwd
def swiglu_fwd(x, *, axis):
    return swiglu.forward(x, axis=axis), x


@swiglu.bwd
def swiglu_bwd(x, dy, *, axis):
    a, b = _halves(x, axis)
    slope_a = _passed(a, b) * silu_slope(a, beta=1.0)
    return (_concatenated(dy, slope_a, silu.forward(a, beta=1.0), axis),)


def _passed(a, b):
    """b, but 0 where sigmoid(a) is 0."""
    return jnp.where(jax.nn.sigmoid(a) == 0, jnp.zeros_like(b), b)


def _halves(x, axis):
    """a and b, in the accumulation dtype."""
    return jnp.split(x.astype(accumulation_dtype(x.dtype)), 2, axis)


def _concatenated(dy, slope_a, slope_b, axis):
    """dx from dy and the slopes of y in a and in b."""
    wide = dy.astype(slope_a.dtype)
    return jnp.concatenate([wide * slope_a, wide * slope_b], axis).astype(dy.dtype)


def _validate_halves(x, *, axis):
    require_floats(x=x)
    require_axis(axis, x=x)
    even = x.shape[axis] % 2 == 0
    require(even, f"x {x.shape} has an odd size along axis {axis}: {x.shape[axis]}")


def _both_halves(x):
    """Every pair of extremes in the two halves."""

    def draw(rng):
        each = x(rng)
        return np.stack([np.concatenate([np.full_like(each, a), each]) for a in each])

    return draw


for op in (glu, swiglu):
    op.validate(_validate_halves)
    op.cases = (
        Case("rows", ((3, 4),)),
        Case("columns", ((6, 2, 2),), {"axis": 0}),
        Case("no examples", ((0, 4),)),
        Case("far from 0", (lambda rng: 1e3 * rng.standard_normal((2, 6)),)),
        *(extreme(name, _both_halves(x)) for name, x in EXTREMES.items()),
        rejects("has an odd size along axis -1: 3", (4, 3)),
        rejects("has no axis 2", (4, 6), axis=2),
        rejects("axis None must be an integer", (4, 6), axis=None, kind=TypeError),
        rejects("x holds int32", ints((4, 6)), kind=TypeError),
    )
swiglu.torch_difference = "torch has none; the test compares with silu and a product"
