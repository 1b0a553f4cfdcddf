"""Backward passes in NumPy as JAX functions, so that a change in one line can make them right."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn
from fcnn.checker.in_jax import in_jax

X, W = np.random.default_rng(0).standard_normal((2, 4, 4))


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def expressions(x, w):
    """Functions and methods, ufuncs and their methods, lists, and functions of JAX."""
    p = softmax(np.asarray(x) @ w.T)
    y = np.add.reduce(p * np.sqrt(np.abs(x)), axis=0) + np.linalg.norm(w, axis=1)
    y = y + jax.nn.relu(x).mean(0) + jnp.cumsum(w, 0)[-1] + np.einsum("ij,ij->i", x, w)
    order = np.argsort(x, axis=1, kind="stable")
    return np.stack([y, np.take_along_axis(x, order, 1)[0], np.array([x[0, 0], 1.0, 2, y[1]])])


def assignments(x, w):
    """Arrays that are written in place, by index, through a view, and by repeated indices."""
    y = np.zeros((4, 4))
    for t in range(4):
        y[t] += x[t] * w[0]
        y[t, 1:3] = -1.5 * x[t, :2]
    row = y[2]
    row *= 2
    np.add.at(y, [0, 0, 3], x[:3])
    y[:, ::2] -= w[:, ::2]
    total = x.copy()
    total += y.T
    return total, y[[1, 0]], len(y)


def loop(x, w):
    return jax.lax.scan(lambda h, a: (jnp.tanh(w @ h + a),) * 2, jnp.zeros(4), x)[1]


def closure(scale):
    return functools.partial(lambda by, x, w: np.tanh(x * by) @ w * scale, 3.0)


FUNCTIONS = {f.__name__: f for f in (expressions, assignments, loop)} | {"closure": closure(2.0)}


@pytest.fixture(autouse=True)
def float64():
    promotion = jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow")
    with jax.enable_x64(True), promotion[0], promotion[1]:
        yield


@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)
def test_the_copy_in_jax_gives_the_same_values(f):
    found, right = jax.tree.leaves(jax.jit(in_jax(f))(X, W)), jax.tree.leaves(f(X, W))
    for a, b in zip(found, right, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    if f is not loop:
        with pytest.raises(jax.errors.JAXTypeError):  # so the copy is needed
            jax.jit(f)(X, W)


def test_the_function_and_its_file_stay_as_they_are():
    before = dict(globals())
    jax.jit(in_jax(expressions))(X, W)
    assert dict(globals()) == before
    assert expressions.__globals__["np"] is np


def attention(q, k, v):
    return jax.nn.softmax(q @ k.T) @ v


def rows_in_a_loop(q, k, v, do):
    dq, dk, dv = np.zeros(q.shape), np.zeros_like(k), np.zeros_like(v)
    for i in range(len(q)):
        p = softmax(q[i] @ k.T)
        dp = v @ do[i]
        ds = p * (dp - p @ dp)
        dq[i] = ds @ k
        dk += np.outer(p, q[i])  # ds is right
        dv += np.outer(p, do[i])
    return dq, dk, dv


def overwritten(x, dy):
    dx = np.zeros(x.shape)
    for t in range(0, 5, 2):
        dx[t : t + 4] = 2 * x[t : t + 4] * dy[t : t + 4].sum()  # += is right
    return (dx,)


def windows(x):
    total = lambda t: (x[t : t + 4] ** 2).sum() * jnp.ones(4)
    return sum(jnp.zeros(8).at[t : t + 4].add(total(t)) for t in range(0, 5, 2))


def decided_by_a_value(x, dy):
    dx = np.zeros(x.shape)
    for k in range(x.size):
        if x.flat[k] > 0:
            dx.flat[k] = np.asarray(dy).flat[k] * np.sin(7 * x.flat[k] + k)
    return (dx,)


def test_a_line_of_a_numpy_backward_pass_that_makes_it_right():
    args = (X, W, X + W)
    report = fcnn.check(attention, args, backward=rows_in_a_loop, cost=False)
    assert [row.verdict for row in report.rows] == ["right", "wrong", "right"]
    assert report.rows[1].says.startswith(
        "becomes right with the product in `ds = p * (dp - p @ dp)`"
    )
    assert report.rows[1].says.endswith("in every repetition (every entry)")
    x = np.random.default_rng(1).standard_normal(8)
    (row,) = fcnn.check(windows, (x,), backward=overwritten, cost=False).rows
    assert row.mistake == "overwritten", row.says


def test_control_flow_by_values_leaves_a_mistake_without_a_line():
    (row,) = fcnn.check(jnp.tanh, (X,), backward=decided_by_a_value, cost=False).rows
    assert (row.verdict, row.mistake) == ("wrong", "")
