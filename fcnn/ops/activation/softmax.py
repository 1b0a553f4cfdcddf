"""Softmax and its logarithm.

With top = max x, and sums along one axis,

    d = x - top      e = exp(d)      softmax y = p = e / sum e      log_softmax y = d - log sum e

As dp_i / dx_j = p_i ([i = j] - p_j),

    softmax      dx = p (dy - sum_j p_j dy_j)
    log_softmax  dx = dy - p sum_j dy_j

p is saved, in the accumulation dtype. In half precision, a p near 1 would round to 1, and 1 - p,
the sum of the other probabilities, would be lost. If p were computed as exp of a rounded log p, its
relative error would grow with |log p|.

The largest d must be 0. XLA may compute x again at each use of x. Where x is a product, the product
and x - top can become one fused multiply-add. It does not round the product, but top is rounded.
Then the largest d is the rounding error of x instead of 0, and exp(d) is arbitrary if x is large.
So top - top is added to x first. It is 0, but the compiler cannot know this. The product can then
fuse with this addition only, whose result is rounded.
"""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from fcnn.ops.case import Case, extreme, ints, normals, rejects
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import operator
from fcnn.ops.validation import require, require_axis, require_floats

X = Float[Array, "..."]


@operator()
def softmax(x: X, *, axis: int = -1) -> X:
    """Softmax: exp(x) / sum exp(x) along one axis, computed from x - max x.

    Shapes: x (..., k, ...) -> y (..., k, ...), with k > 0 entries along `axis`.
    Options:
        axis: the axis along which y sums to 1; the last by default.
    Units:  x is in nats, up to a constant; y is a probability.
    Raises: ValueError if x has no such axis, or no entries along it; TypeError if x does not hold
            floats.
    Cost:   one exponential per entry; three passes over x forward, two backward.
    Source: Bridle 1990.

    >>> fcnn.softmax(jnp.array([[0.0, 0.0], [1000.0, 0.0]]))
    Array([[0.5, 0.5],
           [1. , 0. ]], dtype=float32)
    """
    return softmax_fwd(x, axis=axis)[0]


@softmax.fwd
def softmax_fwd(x, *, axis):
    p, _ = probabilities(x, axis)
    return p.astype(x.dtype), p


@softmax.bwd
def softmax_bwd(p, dy, *, axis):
    dtype, dy = dy.dtype, dy.astype(p.dtype)
    return ((p * (dy - (p * dy).sum(axis, keepdims=True))).astype(dtype),)


@operator()
def log_softmax(x: X, *, axis: int = -1) -> X:
    """Logarithm of softmax: x - log sum exp(x) along one axis, computed from x - max x.

    Shapes: x (..., k, ...) -> y (..., k, ...), with k > 0 entries along `axis`.
    Options:
        axis: the axis along which exp(y) sums to 1; the last by default.
    Units:  nats.
    Raises: ValueError if x has no such axis, or no entries along it; TypeError if x does not hold
            floats.
    Cost:   one exponential per entry; three passes over x forward, two backward.
    Source: Bridle 1990.

    >>> fcnn.log_softmax(jnp.array([1000.0, 0.0]))
    Array([    0., -1000.], dtype=float32)
    """
    return log_softmax_fwd(x, axis=axis)[0]


@log_softmax.fwd
def log_softmax_fwd(x, *, axis):
    p, log_p = probabilities(x, axis)
    return log_p.astype(x.dtype), p


@log_softmax.bwd
def log_softmax_bwd(p, dy, *, axis):
    dtype, dy = dy.dtype, dy.astype(p.dtype)
    return ((dy - p * dy.sum(axis, keepdims=True)).astype(dtype),)


def probabilities(x: Array, axis: int = -1) -> tuple[Array, Array]:
    """softmax(x) and its logarithm, each computed accurately, in the accumulation dtype."""
    x = x.astype(accumulation_dtype(x.dtype))
    d = below(x, lax.stop_gradient(x.max(axis, keepdims=True)))
    e = jnp.exp(d)
    total = e.sum(axis, keepdims=True)
    return e / total, d - jnp.log(total)


def below(x: Array, top: Array) -> Array:
    """x - top, exactly 0 where x equals top, even if x is a product; NaN if top is infinite."""
    return (x + (top - top)) - top


def _validate_axis(x, *, axis):
    require_floats(x=x)
    require_axis(axis, x=x)
    require(x.shape[axis] > 0, f"x {x.shape} has no entries along axis {axis}")


def extreme_scores(shape):
    """Extreme inputs of softmax by name, each of this shape (*n, k) and an entry of `Case.args`."""
    k = np.indices(shape)[-1]
    apart = lambda low: lambda rng: np.where(k % 2, low, rng.standard_normal(shape))
    return {
        "huge": normals(shape, 1e9),
        "huge and equal": normals(shape, 0, 1e9),
        "equal": normals(shape, 0),
        "tiny": normals(shape, 1e-30),
        "far from 0": normals(shape, 64, 3e4),
        "one dominates": lambda rng: np.where(k == 1, 12.0, rng.standard_normal(shape)),
        "some at -1e9": apart(-1e9),
        "some at -inf": apart(-np.inf),
        "some at the smallest float": apart(-1.7e308),
    }


for op in (softmax, log_softmax):
    op.validate(_validate_axis)
    op.cases = (
        Case("rows", ((4, 5),)),
        Case("columns", ((4, 5, 2),), {"axis": 0}),
        Case("one class", ((4, 1),)),
        Case("far apart", (lambda rng: 1e3 * rng.standard_normal((3, 4)),)),
        *(extreme(name, x) for name, x in extreme_scores((64, 7)).items()),
        extreme("many equal", normals((65520,), 0)),
        extreme("many", (65520,)),
        rejects("has no axis 2", (4, 5), axis=2),
        rejects("axis 'last' must be an integer", (4, 5), axis="last", kind=TypeError),
        rejects("has no entries along axis -1", (4, 0)),
        rejects("x holds int32, not floats", ints((3,)), kind=TypeError),
    )
