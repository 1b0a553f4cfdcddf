"""Regression losses: distances between y and its target, one value per example.

With off = y - t, and sums and means over all axes but the first,

    squared error         l = 1/2 sum off^2                         r = off
    mean squared error    l = mean off^2                            r = 2 off / entries
    absolute error        l = sum |off|                             r = sign(off)
    Huber                 l = sum 1/2 off^2, or                     r = off, or
                              d (|off| - d/2) where |off| > d           d sign(off) there

    dy = dl r = -dt

and, for one array of weights,

    L2 penalty            l = 1/2 rate sum w^2                      dw = dl rate w

`off` is saved in the accumulation dtype. The penalty saves w. All losses of fcnn return one value
per example: the caller averages them. `l2_penalty` returns one number. Losses of probabilities are
in nats. No other loss has a factor 1/2 or a mean. At its kink, y = t, the absolute error has
slope 0.
"""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fcnn.ops.case import Case, extreme, ints, normals, rejects
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import operator
from fcnn.ops.validation import require, require_floats, require_numbers, require_rank

Y = Float[Array, "n ..."]
L = Float[Array, " n"]


@operator()
def squared_error(y: Y, targets: Y) -> L:
    """Half the squared Euclidean distance between y and targets, one value per example.

    Shapes: y and targets (n, ...) -> loss (n,).
    Units:  those of y, squared.
    Raises: ValueError if shapes disagree; TypeError if an argument does not hold floats.
    Cost:   about 3 operations per entry, and 1 in the backward pass.
    Source: Gauss 1809.

    >>> fcnn.squared_error(jnp.array([[3.0, 4.0, 0.0, 0.0]]), jnp.zeros((1, 4)))
    Array([12.5], dtype=float32)
    """
    off = _off(y, targets)
    return _summed(off * (off / 2), y)  # off^2 may overflow where off^2 / 2 does not


@operator()
def mean_squared_error(y: Y, targets: Y) -> L:
    """Mean squared difference between y and targets, without a 1/2, one value per example.

    Shapes: y and targets (n, ...) -> loss (n,).
    Units:  those of y, squared.
    Raises: ValueError if shapes disagree, or an example has no entries; TypeError if an argument
            does not hold floats.
    Cost:   about 3 operations per entry, and 1 in the backward pass.
    Source: Gauss 1809.

    >>> fcnn.mean_squared_error(jnp.array([[3.0, 4.0, 0.0, 0.0]]), jnp.zeros((1, 4)))
    Array([6.25], dtype=float32)
    """
    off = _off(y, targets)
    return _summed(off * (off / _entries(y)), y)


@operator()
def absolute_error(y: Y, targets: Y) -> L:
    """Sum of absolute differences between y and targets, with slope 0 at 0, one value per example.

    Shapes: y and targets (n, ...) -> loss (n,).
    Units:  those of y.
    Raises: ValueError if shapes disagree; TypeError if an argument does not hold floats.
    Cost:   about 3 operations per entry, and 1 in the backward pass.
    Source: Laplace 1774.

    >>> fcnn.absolute_error(jnp.array([[3.0, -4.0]]), jnp.zeros((1, 2)))
    Array([7.], dtype=float32)
    """
    off = _off(y, targets)
    return _summed(off * jnp.sign(off), y)  # jnp.abs has slope 1 at 0


@operator()
def huber(y: Y, targets: Y, *, delta: float = 1.0) -> L:
    """Huber loss: half the squared difference up to `delta`, linear beyond, summed per example.

    Shapes: y and targets (n, ...) -> loss (n,).
    Options:
        delta: the size of the difference from which the loss is linear; 1.0 by default.
    Units:  those of y, squared; delta is in units of y.
    Raises: ValueError if shapes disagree, or unless 0 < delta < inf; TypeError if an argument does
            not hold floats, or delta is not a number.
    Cost:   about 5 operations per entry, and 1 in the backward pass.
    Source: Huber 1964.

    >>> fcnn.huber(jnp.array([[3.0, 0.5]]), jnp.zeros((1, 2)))  # 5/2 + 1/8
    Array([2.625], dtype=float32)
    """
    size = jnp.abs(_off(y, targets))
    near = jnp.where(size <= delta, size, jnp.zeros_like(size))
    far = delta * (size - delta / 2)
    return _summed(jnp.where(size <= delta, near * (near / 2), far), y)


RESIDUALS = {  # r, in terms of off
    squared_error: lambda off: off,
    mean_squared_error: lambda off: 2 / _entries(off) * off,
    absolute_error: lambda off: jnp.sign(off),
    huber: lambda off, delta: jnp.clip(off, -delta, delta),
}


def _complete(op, r):
    @op.fwd
    def fwd(y, targets, **options):
        return op.forward(y, targets, **options), _off(y, targets)

    @op.bwd
    def bwd(off, dl, **options):
        dtype, dl = dl.dtype, dl.astype(off.dtype)
        dy = dl.reshape((-1,) + (1,) * (off.ndim - 1)) * r(off, **options)
        return dy.astype(dtype), -dy.astype(dtype)

    op.validate(_validate)
    op.cases = (
        Case("rows", (_spread((4, 3)), _tiny((4, 3)))),
        Case("images", (_spread((2, 3, 2, 2)), _tiny((2, 3, 2, 2)))),
        Case("no examples", ((0, 3), (0, 3))),
        Case("far apart", (lambda rng: np.array([-1e9, 1e9]), lambda rng: np.array([1e9, 1e3]))),
        *_extremes(),
        rejects(r"y \(4, 3\) and targets \(4, 1\)", (4, 3), (4, 1)),
        rejects("y holds int32", ints((4, 3)), (4, 3), kind=TypeError),
        rejects("at least 1 axis", (), ()),
    )


@operator()
def l2_penalty(w: Float[Array, "..."], *, rate: float) -> Float[Array, ""]:
    """L2 penalty (weight decay): half of `rate` times the sum of all squared weights.

    Shapes: w (...) -> penalty ().
    Options:
        rate: the coefficient of the penalty, whose gradient is rate w.
    Units:  the square of units of w, times units of rate.
    Raises: ValueError unless 0 <= rate < inf; TypeError if w does not hold floats, or rate is not a
            number.
    Cost:   3 operations per weight, and 2 in the backward pass.
    Source: Tikhonov 1943; Krogh & Hertz 1991.

    >>> fcnn.l2_penalty(jnp.array([3.0, 4.0]), rate=0.5)
    Array(6.25, dtype=float32)
    """
    w, dtype = w.astype(accumulation_dtype(w.dtype)), w.dtype
    return (w * (rate / 2 * w)).sum().astype(dtype)  # w^2 may overflow where rate w^2 does not


@l2_penalty.fwd
def l2_penalty_fwd(w, *, rate):
    return l2_penalty.forward(w, rate=rate), w


@l2_penalty.bwd
def l2_penalty_bwd(w, dl, *, rate):
    wide = w.astype(accumulation_dtype(w.dtype))
    return ((dl.astype(wide.dtype) * (rate * wide)).astype(w.dtype),)


@l2_penalty.validate
def _validate_penalty(w, *, rate):
    require_floats(w=w)
    require_numbers(rate=rate)
    require(0 <= rate < math.inf, f"rate {rate} must be at least 0 and finite")


def _summed(each, y):
    """Sum over all axes but the first, in the dtype of y."""
    return each.sum(range(1, y.ndim)).astype(y.dtype)


def _off(y, targets):
    """y - t in the accumulation dtype; half precision would round it, or overflow."""
    return y.astype(accumulation_dtype(y.dtype)) - targets.astype(accumulation_dtype(y.dtype))


def _entries(y):
    """The number of entries of one example."""
    return math.prod(y.shape[1:])


def _validate(y, targets, **options):
    require_floats(y=y, targets=targets)
    require_rank(1, y=y)
    same = y.shape == targets.shape
    require(same, f"y {y.shape} and targets {targets.shape} need the same shape")
    require_numbers(**options)
    for k, v in options.items():
        require(0 < v < math.inf, f"{k} {v} must be positive and finite")


def _tiny(shape):
    return lambda rng: rng.uniform(-0.02, 0.02, shape)


def _spread(shape):
    """Entries of both signs. Their differences from `_tiny` entries are not near 0, ±1 or ±2."""
    steps = np.linspace(-3.3, 3.3, math.prod(shape)).reshape(shape)
    return lambda rng: steps + _tiny(shape)(rng)


def _extremes():
    shape = (3, 4)
    one = lambda rng: 2e19 * np.eye(3, 4)  # in float32 off^2 overflows, off^2 / 2 does not
    yield extreme("huge", normals(shape, 1e9), normals(shape, 1e9))
    yield extreme("far from 0", normals(shape, 32, 3e4), normals(shape, 32, 3e4))
    yield extreme("tiny", normals(shape, 1e-18), normals(shape, 1e-18))
    yield extreme("one is huge", one, shape)


for op, r in RESIDUALS.items():
    _complete(op, r)


@mean_squared_error.validate
def _validate_mean(y, targets):
    _validate(y, targets)
    require(_entries(y) > 0, f"y {y.shape} has no entries to average")


mean_squared_error.cases += (rejects("no entries to average", (3, 0), (3, 0)),)
ones = lambda rng: np.ones((2, 3))
absolute_error.cases += (Case("equal", (ones, ones), kink=True),)
huber.cases += (
    Case("at delta", (ones, lambda rng: 2 * np.eye(2, 3)), kink=True),
    Case("delta 2", (_spread((4, 3)), _tiny((4, 3))), {"delta": 2.0}),
    rejects("delta 0.0 must be positive", (4, 3), (4, 3), delta=0.0),
    rejects("delta 'far' must be a number", (4, 3), (4, 3), delta="far", kind=TypeError),
)
l2_penalty.cases = (
    Case("kernel", ((3, 3, 2, 2),), {"rate": 1e-2}),
    Case("number", ((),), {"rate": 0.5}),
    Case("empty", ((0, 3),), {"rate": 0.5}),
    *(extreme(f"{size:g}", normals((2, 2), size), rate=1e-6) for size in (2e19, 1e9, 6e4, 1e-18)),
    rejects("rate -0.1 must be at least 0", (3,), rate=-0.1),
    rejects("rate 'low' must be a number", (3,), rate="low", kind=TypeError),
    rejects("w holds int32", ints((3,)), rate=0.1, kind=TypeError),
)
l2_penalty.torch_difference = "torch has none; the test compares with the formula"
