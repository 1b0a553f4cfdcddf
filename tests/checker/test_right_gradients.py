"""Right gradients that mislead a checker, each with a wrong gradient of the same kind.

All of them were judged falsely by an earlier version of the checker, or are next to such a case.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import fcnn
from fcnn.checker.verdict import KINK, NOISY, RIGHT, WRONG

pytestmark = pytest.mark.usefixtures("jax_default_promotion")

check = partial(fcnn.check, cost=False)
SECOND_TIER = pytest.mark.all("0.5 s per case; the first tier runs the cheapest case of each kind")
KEY = jax.random.key(0)


def normal(*shape, dtype="float64"):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


X, X32 = normal(4, 5), normal(4, 5, dtype="float32")
W32 = normal(5, 3, dtype="float32")
TIED = np.array([1.6, -0.7, 1.6, 1.6, -0.4, 3.2, 0.1, -0.6])
TABLE = np.array([0.1, 0.2, 0.3, 0.7, 0.9])
AT_0 = np.array([0.0, 1e-12, -1e-12, 0, 1e-12, 0.5, -1])
STEEP = np.array([[0.0, -300, 21], [250, 0, 229]])


def layers_in(dtype):
    def f(x, w):
        h = jax.nn.relu(x.astype(dtype) @ w.astype(dtype))
        return (h @ w.astype(dtype).T).astype(x.dtype)

    return f


def stopped_in_bfloat16(x):
    h = x.astype("bfloat16")
    return (h * lax.stop_gradient(h)).astype(x.dtype)


def noise(x, dtype=None):
    return jax.random.normal(KEY, x.shape, dtype or x.dtype)


def kept(x, dtype=None):
    return jax.random.uniform(KEY, x.shape, dtype or x.dtype) < 0.7


def scaled(x):
    return np.float32(0.1) * x


def smoothed(x):
    return lax.scan(lambda h, x: (0.9 * h + x,) * 2, jnp.zeros_like(x[0]), x)[1]


def smoothed_dx(rate):
    def backward(x, dy):
        following = lambda g, dy: (rate * g + dy,) * 2
        return (lax.scan(following, jnp.zeros_like(dy[0]), dy, reverse=True)[1],)

    return backward


def softmax_dx(x, dy):
    p = jax.nn.softmax(x)
    return (p * (dy - (dy * p).sum(-1, keepdims=True)),)


def distance(a, b):
    return jnp.abs(a - b).sum()


def sign_of_difference(a, b, dy):
    return jnp.sign(a - b) * dy, -jnp.sign(a - b) * dy


def sorted_by_numpy(x):
    return np.sort(x)


def sort_dx(factor):
    def backward(x, dy):
        dx = np.zeros(x.shape)
        dx[np.argsort(x, kind="stable")] = factor * np.asarray(dy)
        return (dx,)

    return backward


def shared_sort(x, dy):
    same = (x[:, None] == jnp.sort(x)) * 1.0
    return (same / same.sum(1, keepdims=True) @ dy,)


STOPPED = lambda x: x * lax.stop_gradient(x)
STEP_AT_MINUS_0 = lambda x: jnp.copysign(jnp.ones_like(x), x) + x
TWICE = lambda x: 2 * x
SQUARE_OF_NOISE = lambda x: x**2 * noise(x)
RELU_BY_NUMPY = lambda x: np.maximum(x, 0)

RIGHT_GRADIENTS = {
    "two layers in bfloat16, by JAX": (layers_in("bfloat16"), (X32, W32), None),
    "two layers in float16, by JAX": (layers_in("float16"), (X, normal(5, 3)), None),
    "noise in the dtype of x": (lambda x: x * noise(x), (X32,), lambda x, dy: (dy * noise(x),)),
    "noise in float32 in the backward pass": (
        SQUARE_OF_NOISE,
        (X32,),
        lambda x, dy: (2 * x * dy * noise(x, "float32"),),
    ),
    "a stop_gradient misleads autodiff": (STOPPED, (X32,), lambda x, dy: (2 * x * dy,)),
    "a constant in float32": (scaled, (X,), lambda x, dy: (0.1 * dy,)),
    "a constant in float32, with a NumPy backward": (
        lambda x: jnp.where(x > 0, x, x * jnp.float32(0.1)),
        (X32,),
        lambda x, dy: ((dy * np.where(x > 0, 1.0, 0.1)).astype(x.dtype),),
    ),
    "a constant in float32, backward": (smoothed, (X,), smoothed_dx(np.float32(0.9))),
    "two constants in float32": (
        lambda x: x.sum() / np.float32(7) * np.float32(1 / 3),
        (X,),
        lambda x, dy: (np.full(X.shape, 1.0) * dy / 21,),
    ),
    "a power in float32": (
        lambda x: x ** np.float32(0.3),
        (np.abs(X),),
        lambda x, dy: (dy * 0.3 * x**-0.7,),
    ),
    "a table in float32": (
        lambda x: x * TABLE.astype("float32"),
        (X,),
        lambda x, dy: (dy * TABLE,),
    ),
    "x = -0.0": (STEP_AT_MINUS_0, (np.array([-0.0, 0, 1, -2]),), lambda x, dy: (dy,)),
    "denormal numbers": (TWICE, (1e-310 * X,), lambda x, dy: (2 * dy,)),
    "1 and 1e30 in one leaf": (jnp.log, (np.array([1.0, 1e30, 2, 3e30]),), None),
    "saturated softmax": (jax.nn.softmax, (STEEP,), softmax_dx),
    "kinks at 0 and 1e-12": (distance, (AT_0, np.zeros(7)), sign_of_difference),
    "kinks at 0 and 1e-12, in NumPy": (
        RELU_BY_NUMPY,
        (AT_0,),
        lambda x, dy: (np.asarray(dy) * (x > 0),),
    ),
    "three tied entries, in NumPy": (sorted_by_numpy, (TIED,), sort_dx(1)),
    "three tied entries share": (jnp.sort, (TIED,), shared_sort),
    "a dropout mask in bfloat16": (
        lambda x: jnp.where(kept(x), x, 0),
        (jnp.asarray(X, "bfloat16"),),
        lambda x, dy: (jnp.where(kept(x, "bfloat16"), dy, 0),),
    ),
}
WRONG_GRADIENTS = {
    "a stop_gradient in bfloat16, by JAX": (stopped_in_bfloat16, (X32,), None),
    "two layers in bfloat16, half": (
        layers_in("bfloat16"),
        (X32, W32),
        lambda x, w, dy: tuple(g / 2 for g in jax.vjp(layers_in("bfloat16"), x, w)[1](dy)),
    ),
    "noise of another key": (
        lambda x: x * noise(x),
        (X32,),
        lambda x, dy: (dy * jax.random.normal(jax.random.key(1), x.shape, "float32"),),
    ),
    "1.001 × noise": (
        lambda x: x * noise(x),
        (X32,),
        lambda x, dy: (1.001 * dy * noise(x, "float32"),),
    ),
    "a negative dropout mask in bfloat16": (
        lambda x: jnp.where(kept(x), x, 0),
        (jnp.asarray(X, "bfloat16"),),
        lambda x, dy: (jnp.where(kept(x, "bfloat16"), -dy, 0),),
    ),
    "a constant that differs by 1e-6": (scaled, (X,), lambda x, dy: (0.1000001 * dy,)),
    "a constant in float32, and 1 + 1e-6": (scaled, (X,), lambda x, dy: (dy * 0.1 * (1 + 1e-6),)),
    "three tied entries, permuted": (jnp.sort, (TIED,), lambda x, dy: (dy[jnp.argsort(x)],)),
    "three tied entries, 1.02 × in NumPy": (sorted_by_numpy, (TIED,), sort_dx(1.02)),
    "no tied entry, 1 % in one": (
        jnp.sort,
        (TIED,),
        lambda x, dy: (shared_sort(x, dy)[0].at[5].multiply(1.01),),
    ),
    "1.5 × between two bounds": (
        lambda x: jnp.clip(x, -3, 3),
        (np.array([-3.0, -1, 0.5, 3, 5]),),
        lambda x, dy: (jnp.where(jnp.abs(x) < 3, 1.5 * dy, 0),),
    ),
    "slope 1.1 at 0, beside 1e-12": (
        lambda x: jax.nn.relu(x).sum(),
        (AT_0,),
        lambda x, dy: (dy * jnp.where(x > 0, 1, jnp.where(x == 0, 1.1, 0)),),
    ),
    "1 and 1e30 in one leaf, 1.001 ×": (
        jnp.log,
        (np.array([1.0, 1e30, 2, 3e30]),),
        lambda x, dy: (1.001 * dy / x,),
    ),
}
SECOND = {
    "two layers in float16, by JAX",
    "a table in float32",
    "kinks at 0 and 1e-12",
    "two layers in bfloat16, half",
    "a constant that differs by 1e-6",
    "noise of another key",
    "1.001 × noise",
    "noise in the dtype of x",
    "a dropout mask in bfloat16",
}


def each(problems):
    marks = lambda name: [SECOND_TIER] if name in SECOND else []
    return pytest.mark.parametrize(
        "problem", [pytest.param(p, id=name, marks=marks(name)) for name, p in problems.items()]
    )


SAYS = {
    "a constant in float32": (
        "agrees to 1e-08: the forward pass has the constant 0.1 in float32, "
        "the backward pass computes in float64"
    ),
    "noise in float32 in the backward pass": (
        "is right in float32; f draws other random numbers in float64"
    ),
}


@each(RIGHT_GRADIENTS)
def test_a_right_gradient_is_accepted(problem):
    f, args, backward = problem
    report = check(f, args, backward=backward)
    assert {row.verdict for row in report.rows} <= {RIGHT, KINK}, report
    for name, says in SAYS.items():
        if RIGHT_GRADIENTS[name] is problem:
            assert [row.says for row in report.rows] == [says]


@each(WRONG_GRADIENTS)
def test_a_wrong_gradient_of_the_same_kind_is_found(problem):
    f, args, backward = problem
    report = check(f, args, backward=backward)
    assert {row.verdict for row in report.rows} & {WRONG, NOISY}, report


def test_an_interval_of_slopes_without_the_accepted_slope_is_not_reported():
    (row,) = check(jnp.sort, (TIED,), backward=shared_sort).rows
    low, high = sorted(row.slopes) if len(row.slopes) == 2 else (row.slopes[0],) * 2
    assert ("slopes from" in row.says) == (low <= row.claimed <= high)
