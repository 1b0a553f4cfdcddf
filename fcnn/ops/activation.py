"""Activations: elementwise functions with the table of their slopes, then softmax.

Elementwise, y = f(x) and dx = f'(x) dy; x and y are saved, since each slope is cheapest in one of
them.

Shapes: any; y has the shape and dtype of x.
Units:  x and y are plain numbers; log_softmax is in nats.
Raises: TypeError for integers.
Cost:   one pass over x; softmax and log_softmax read it three times.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fcnn.ops.op import Case, ints, operator, refused
from fcnn.ops.refusal import require, require_floats

X = Float[Array, "..."]


@operator()
def identity(x: X) -> X:
    """x itself: the activation of a linear output. Source: Widrow & Hoff 1960."""
    return x


@operator()
def relu(x: X) -> X:
    """max(x, 0), with slope 0 at 0. Source: Nair & Hinton 2010; Bertoin et al. 2021 for the 0."""
    return jnp.where(x <= 0, jnp.zeros_like(x), x)  # NaN stays NaN


@operator()
def sigmoid(x: X) -> X:
    """1 / (1 + exp(-x)). Source: Verhulst 1845."""
    return jax.nn.sigmoid(x)


@operator()
def tanh(x: X) -> X:
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x)). Source: LeCun et al. 1998, "Efficient BackProp"."""
    return jnp.tanh(x)


SLOPES = {  # dy/dx, in terms of x and y
    identity: lambda x, y: jnp.ones_like(x),
    relu: lambda x, y: (~(x <= 0)).astype(x.dtype),
    sigmoid: lambda x, y: y * (1 - y),
    tanh: lambda x, y: 1 - y * y,
}


def _elementwise(op, slope):
    def fwd(x):
        y = op.forward(x)
        return y, (x, y)

    def bwd(saved, dy):
        return (dy * slope(*saved),)

    op.fwd(fwd)
    op.bwd(bwd)
    op.check(partial(_check, op.name))
    far_from_kinks = lambda key: jax.random.uniform(key, (4, 5), minval=0.1, maxval=3.0)
    signs = lambda key: jnp.where(jax.random.bernoulli(key, shape=(4, 5)), 1.0, -1.0)
    op.cases = (
        Case("spread", (lambda key: far_from_kinks(key) * signs(key),)),
        Case("empty", ((0, 3),)),
        Case("at zero", (lambda key: jnp.zeros((3,)),), kink=True),
        Case("far out", (lambda key: jnp.array([-1e9, -1e3, 1e3, 1e9]),)),
        refused("x holds int32, not floats", ints((3,)), kind=TypeError),
    )


def _check(name, x):
    require_floats(name, x=x)


for op, slope in SLOPES.items():
    _elementwise(op, slope)


# Softmax and its logarithm. With p = softmax(x), dp_i / dx_j = p_i ([i = j] - p_j), so
#
#     softmax      dx = y (dy - sum_j y_j dy_j)
#     log_softmax  dx = dy - exp(y) sum_j dy_j
#
# y alone is saved.


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
    require(-x.ndim <= axis < x.ndim, f"{name}: x {x.shape} has no axis {axis}")
    require(x.shape[axis] > 0, f"{name}: x {x.shape} has nothing along axis {axis}")


for op in (softmax, log_softmax):
    op.check(partial(_check_axis, op.name))
    op.cases = (
        Case("rows", ((4, 5),)),
        Case("columns", ((4, 5, 2),), {"axis": 0}),
        Case("one class", ((4, 1),)),
        Case("far apart", (lambda key: 1e3 * jax.random.normal(key, (3, 4)),)),
        refused("has no axis 2", (4, 5), axis=2),
        refused("nothing along axis -1", (4, 0)),
        refused("x holds int32, not floats", ints((3,)), kind=TypeError),
    )
