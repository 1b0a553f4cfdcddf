"""Losses of distance: how far y is from its target, one number per example.

With off = y - t, and sums and means over all axes but the first,

    squared error         l = 1/2 sum off^2                         r = off
    mean squared error    l = mean off^2                            r = 2 off / entries
    absolute error        l = sum |off|                             r = sign(off)
    Huber                 l = sum 1/2 off^2, or                     r = off, or
                              d (|off| - d/2) where |off| > d           d sign(off) there

    dy = dl r = -dt

and, of one array of weights as a whole,

    L2 penalty            l = 1/2 rate sum w^2                      dw = dl rate w

off is saved, in the dtype that sums are kept in, or w. Conventions of all losses here: one number
per example, which you average yourself; nats, where a loss is of probabilities; no 1/2 and no mean
but those above; slope 0 at a kink.

Shapes: y and targets have one shape, (n, ...).
Raises: ValueError if shapes disagree, or for an option out of range; TypeError for integers.
Cost:   about 3 operations per entry, and 1 back.
"""

import math
from functools import partial

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import Case, extreme, ints, normals, operator, rejects
from fcnn.ops.validation import require, require_floats, require_numbers, require_rank

Y = Float[Array, "n ..."]
L = Float[Array, " n"]


@operator()
def squared_error(y: Y, targets: Y) -> L:
    """Half the squared distance between y and targets.

    Units:  those of y, squared.
    Source: Gauss 1809.
    """
    off = _off(y, targets)
    return _summed(off * (off / 2), y)  # the half may fit where the square does not


@operator()
def mean_squared_error(y: Y, targets: Y) -> L:
    """The mean squared difference between the entries of y and targets, without a half.

    Units:  those of y, squared.
    Source: Gauss 1809.
    """
    off = _off(y, targets)
    return _summed(off * (off / _entries(y)), y)


@operator()
def absolute_error(y: Y, targets: Y) -> L:
    """The summed absolute difference between y and targets, with slope 0 where they are equal.

    Units:  those of y.
    Source: Laplace 1774.
    """
    off = _off(y, targets)
    return _summed(off * jnp.sign(off), y)  # abs has slope 1 at 0


@operator()
def huber(y: Y, targets: Y, *, delta: float = 1.0) -> L:
    """Half the squared difference up to delta and linear beyond, so that outliers pull no harder.

    Units:  those of y, squared; delta in those of y.
    Source: Huber 1964.
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


def _distance(op, r):
    @op.fwd
    def fwd(y, targets, **options):
        return op.forward(y, targets, **options), _off(y, targets)

    @op.bwd
    def bwd(off, dl, **options):
        dtype, dl = dl.dtype, dl.astype(off.dtype)
        dy = dl.reshape((-1,) + (1,) * (off.ndim - 1)) * r(off, **options)
        return dy.astype(dtype), -dy.astype(dtype)

    op.validate(partial(_validate, op.name))
    op.cases = (
        Case("rows", (_spread((4, 3)), _tiny((4, 3)))),
        Case("images", (_spread((2, 3, 2, 2)), _tiny((2, 3, 2, 2)))),
        Case("no examples", ((0, 3), (0, 3))),
        Case("far apart", (lambda rng: np.array([-1e9, 1e9]), lambda rng: np.array([1e9, 1e3]))),
        *_extremes(),
        rejects(r"y \(4, 3\) and targets \(4, 1\)", (4, 3), (4, 1)),
        rejects("y holds int32", ints((4, 3)), (4, 3), kind=TypeError),
        rejects("at least 1 axes", (), ()),
    )


@operator()
def l2_penalty(w: Float[Array, "..."], *, rate: float) -> Float[Array, ""]:
    """Half of `rate` times the sum of all squared weights, whose gradient is rate w.

    Shapes: any; one number for all of w.
    Units:  those of w squared, times those of rate.
    Source: Tikhonov 1943; Krogh & Hertz 1991.
    """
    w, dtype = w.astype(accumulation_dtype(w.dtype)), w.dtype
    return (w * (rate / 2 * w)).sum().astype(dtype)  # rate may make a square fit


@l2_penalty.fwd
def l2_penalty_fwd(w, *, rate):
    return l2_penalty.forward(w, rate=rate), w


@l2_penalty.bwd
def l2_penalty_bwd(w, dl, *, rate):
    long = w.astype(accumulation_dtype(w.dtype))
    return ((dl.astype(long.dtype) * (rate * long)).astype(w.dtype),)


@l2_penalty.validate
def _validate_penalty(w, *, rate):
    require_floats("l2_penalty", w=w)
    require_numbers("l2_penalty", rate=rate)
    require(0 <= rate < math.inf, f"l2_penalty: rate {rate} must be at least 0 and finite")


def _summed(each, y):
    """Over all axes but the first, in the dtype of y."""
    return each.sum(range(1, y.ndim)).astype(y.dtype)


def _off(y, targets):
    """y - t, in the dtype that sums are kept in: half precision would round it, or overflow."""
    return y.astype(accumulation_dtype(y.dtype)) - targets.astype(accumulation_dtype(y.dtype))


def _entries(y):
    """Of one example."""
    return math.prod(y.shape[1:])


def _validate(name, y, targets, **options):
    require_floats(name, y=y, targets=targets)
    require_rank(name, 1, y=y)
    same = y.shape == targets.shape
    require(same, f"{name}: y {y.shape} and targets {targets.shape} need the same shape")
    require_numbers(name, **options)
    for k, v in options.items():
        require(0 < v < math.inf, f"{name}: {k} {v} must be positive and finite")


def _tiny(shape):
    return lambda rng: rng.uniform(-0.02, 0.02, shape)


def _spread(shape):
    """Less anything tiny, entries of both signs, away from 0 and from 1."""
    steps = np.linspace(-3.3, 3.3, math.prod(shape)).reshape(shape)
    return lambda rng: steps + _tiny(shape)(rng)


def _extremes():
    shape = (3, 4)
    one = lambda rng: 2e19 * np.eye(3, 4)  # its square overflows in float32, half of it does not
    yield extreme("huge", normals(shape, 1e9), normals(shape, 1e9))
    yield extreme("far from 0", normals(shape, 32, 3e4), normals(shape, 32, 3e4))
    yield extreme("tiny", normals(shape, 1e-18), normals(shape, 1e-18))
    yield extreme("one is huge", one, shape)


for op, r in RESIDUALS.items():
    _distance(op, r)


@mean_squared_error.validate
def _validate_mean(y, targets):
    _validate("mean_squared_error", y, targets)
    require(_entries(y) > 0, f"mean_squared_error: y {y.shape} has nothing to average")


mean_squared_error.cases += (rejects("nothing to average", (3, 0), (3, 0)),)
ones = lambda rng: np.ones((2, 3))
absolute_error.cases += (Case("met", (ones, ones), kink=True),)
huber.cases += (
    Case("at delta", (ones, lambda rng: 2 * np.eye(2, 3)), kink=True),
    Case("wider", (_spread((4, 3)), _tiny((4, 3))), {"delta": 2.0}),
    rejects("delta 0.0 must be positive", (4, 3), (4, 3), delta=0.0),
    rejects("delta 'far' must be a number", (4, 3), (4, 3), delta="far", kind=TypeError),
)
l2_penalty.cases = (
    Case("kernel", ((3, 3, 2, 2),), {"rate": 1e-2}),
    Case("number", ((),), {"rate": 0.5}),
    Case("nothing", ((0, 3),), {"rate": 0.5}),
    *(extreme(f"{size:g}", normals((2, 2), size), rate=1e-6) for size in (2e19, 1e9, 6e4, 1e-18)),
    rejects("rate -0.1 must be at least 0", (3,), rate=-0.1),
    rejects("rate 'low' must be a number", (3,), rate="low", kind=TypeError),
    rejects("w holds int32", ints((3,)), rate=0.1, kind=TypeError),
)
l2_penalty.torch_difference = "none there: compared with the formula"
