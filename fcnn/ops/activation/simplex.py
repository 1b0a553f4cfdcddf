"""Softmax and its logarithm: from any numbers to probabilities, points of the simplex.

With p = softmax(x), dp_i / dx_j = p_i ([i = j] - p_j), so

    softmax      dx = y (dy - sum_j y_j dy_j)
    log_softmax  dx = dy - exp(y) sum_j dy_j

y alone is saved.

Shapes: any, with at least one entry along `axis`; y has the shape and dtype of x.
Units:  probabilities, and their logarithms in nats.
Raises: ValueError where x has no such axis, or nothing along it; TypeError for integers.
Cost:   three passes over x, two back.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fcnn.ops.op import Case, ints, operator, refused
from fcnn.ops.refusal import require, require_axis, require_floats

X = Float[Array, "..."]


@operator()
def softmax(x: X, *, axis: int = -1) -> X:
    """exp(x) / sum exp(x) along one axis, shifted by the maximum first. Source: Bridle 1990."""
    e = jnp.exp(_shifted(x, axis))
    return e / e.sum(axis, keepdims=True)


@softmax.fwd
def softmax_fwd(x, *, axis):
    y = softmax.forward(x, axis=axis)
    return y, y


@softmax.bwd
def softmax_bwd(y, dy, *, axis):
    return (y * (dy - (y * dy).sum(axis, keepdims=True)),)


@operator()
def log_softmax(x: X, *, axis: int = -1) -> X:
    """log softmax(x), by the log-sum-exp of x shifted by its maximum. Source: Bridle 1990."""
    x = _shifted(x, axis)
    return x - jnp.log(jnp.exp(x).sum(axis, keepdims=True))


@log_softmax.fwd
def log_softmax_fwd(x, *, axis):
    y = log_softmax.forward(x, axis=axis)
    return y, y


@log_softmax.bwd
def log_softmax_bwd(y, dy, *, axis):
    return (dy - jnp.exp(y) * dy.sum(axis, keepdims=True),)


def _shifted(x, axis):
    top = x.max(axis, keepdims=True)
    return x - jax.lax.stop_gradient(jnp.where(jnp.isfinite(top), top, 0))


def _check_axis(name, x, *, axis):
    require_floats(name, x=x)
    require_axis(name, axis, x=x)
    require(x.shape[axis] > 0, f"{name}: x {x.shape} has nothing along axis {axis}")


for op in (softmax, log_softmax):
    op.check(partial(_check_axis, op.name))
    op.cases = (
        Case("rows", ((4, 5),)),
        Case("columns", ((4, 5, 2),), {"axis": 0}),
        Case("one class", ((4, 1),)),
        Case("far apart", (lambda rng: 1e3 * rng.standard_normal((3, 4)),)),
        refused("has no axis 2", (4, 5), axis=2),
        refused("axis 'last' must be an integer", (4, 5), axis="last", kind=TypeError),
        refused("nothing along axis -1", (4, 0)),
        refused("x holds int32, not floats", ints((3,)), kind=TypeError),
    )
