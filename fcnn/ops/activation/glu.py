"""Gated linear units: one half of x decides how much of the other passes.

With the halves a, b of x along one axis, s = 1 / (1 + exp(-b)) and r = 1 / (1 + exp(-a)),

    glu      y = a s           da = dy s                          db = dy a s (1 - s)
    swiglu   y = a r b         da = dy b r (1 + a (1 - r))        db = dy a r

dx is [da, db] side by side; x alone is saved. Factors that vanish are multiplied first: dy a can
overflow where dy (a s (1 - s)) is 0. A closed gate stays closed, as in `self_gated.py`: where s or
r is 0 the products with it are 0, though the other half be infinite. Half precision is rounded
once, at the end. Mind the order: glu has its gate last, swiglu first, as in their papers.

Shapes: y has half of x's entries along `axis`.
Units:  those of x; for swiglu, of x twice.
Raises: ValueError where x has no such axis, or an odd number of entries along it; TypeError for
        integers.
Cost:   one pass over x, one back.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fcnn.ops.activation.elementwise import EXTREMES
from fcnn.ops.activation.gelu import silu, silu_slope, times
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import Case, extreme, ints, operator, rejects
from fcnn.ops.validation import require, require_axis, require_floats

X = Float[Array, "..."]


@operator()
def glu(x: X, *, axis: int = -1) -> X:
    """The first half of x along one axis, times the sigmoid of the second: a gated linear unit.

    Source: Dauphin et al., arXiv:1612.08083.
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
    return (_beside(dy, s, times(a, s * (1 - s)), axis),)


@operator()
def swiglu(x: X, *, axis: int = -1) -> X:
    """silu of the first half of x along one axis, times the second: the gate comes first.

    With [w, v] side by side, swiglu(dense(x, [w, v])) is silu(x w) * (x v) of the paper.
    Source: Shazeer, arXiv:2002.05202.
    """
    a, b = _halves(x, axis)
    return (silu.forward(a, beta=1.0) * _passed(a, b)).astype(x.dtype)


@swiglu.fwd
def swiglu_fwd(x, *, axis):
    return swiglu.forward(x, axis=axis), x


@swiglu.bwd
def swiglu_bwd(x, dy, *, axis):
    a, b = _halves(x, axis)
    return (_beside(dy, _passed(a, b) * silu_slope(a, beta=1.0), silu.forward(a, beta=1.0), axis),)


def _passed(a, b):
    """b, or 0 where the gate is closed."""
    return jnp.where(jax.nn.sigmoid(a) == 0, jnp.zeros_like(b), b)


def _halves(x, axis):
    """a and b, in the dtype that sums are kept in."""
    return jnp.split(x.astype(accumulation_dtype(x.dtype)), 2, axis)


def _beside(dy, of_a, of_b, axis):
    """dx from dy and the slopes in a and in b."""
    long = dy.astype(of_a.dtype)
    return jnp.concatenate([long * of_a, long * of_b], axis).astype(dy.dtype)


def _validate_halves(name, x, *, axis):
    require_floats(name, x=x)
    require_axis(name, axis, x=x)
    even = x.shape[axis] % 2 == 0
    require(even, f"{name}: x {x.shape} has no halves: {x.shape[axis]} along axis {axis}")


def _both(x):
    """Extremes of both halves, each with each."""

    def draw(rng):
        each = x(rng)
        return np.stack([np.concatenate([np.full_like(each, a), each]) for a in each])

    return draw


for op in (glu, swiglu):
    op.validate(partial(_validate_halves, op.name))
    op.cases = (
        Case("rows", ((3, 4),)),
        Case("columns", ((6, 2, 2),), {"axis": 0}),
        Case("no examples", ((0, 4),)),
        Case("far out", (lambda rng: 1e3 * rng.standard_normal((2, 6)),)),
        *(extreme(name, _both(x)) for name, x in EXTREMES.items()),
        rejects("has no halves: 3 along axis -1", (4, 3)),
        rejects("has no axis 2", (4, 6), axis=2),
        rejects("axis None must be an integer", (4, 6), axis=None, kind=TypeError),
        rejects("x holds int32", ints((4, 6)), kind=TypeError),
    )
swiglu.torch_difference = "none there: compared with silu and a product"
