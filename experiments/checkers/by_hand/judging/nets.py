"""Small networks of courses: micrograd, columns as examples, a deep ReLU net."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def shared_node(a, b):
    d = a * b
    e = a + b
    return d * e


def shared_node_backward(a, b, dy):
    d, e = a * b, a + b
    da = db = 0.0
    dd, de = e * dy, d * dy
    da += b * dd
    db += a * dd
    da += de
    db += de
    return da, db


def shared_node_assigned(a, b, dy):
    d, e = a * b, a + b
    dd, de = e * dy, d * dy
    grad = {}
    grad["a"], grad["b"] = b * dd, a * dd
    grad["a"], grad["b"] = de, de
    return grad["a"], grad["b"]


def columns_cost(x, y, params):
    """Examples are columns, as in the deep-learning.ai notebooks."""
    a1 = jnp.tanh(params["W1"] @ x + params["b1"])
    a2 = jax.nn.sigmoid(params["W2"] @ a1 + params["b2"])
    return -jnp.mean(y * jnp.log(a2) + (1 - y) * jnp.log(1 - a2))


def columns_args(rng):
    params = {
        "W1": rng.normal(size=(4, 2)),
        "b1": rng.normal(size=(4, 1)),
        "W2": rng.normal(size=(1, 4)),
        "b2": rng.normal(size=(1, 1)),
    }
    x = rng.normal(size=(2, 9))
    return x, rng.uniform(0.1, 0.9, size=(1, 9)), params


def columns_parts(x, y, params):
    z1 = params["W1"] @ x + params["b1"]
    a1 = np.tanh(z1)
    z2 = params["W2"] @ a1 + params["b2"]
    a2 = 1 / (1 + np.exp(-z2))
    return z1, a1, z2, (a2 - y) / y.shape[1]


def columns_backward(x, y, params, dy):
    _, a1, z2, dz2 = columns_parts(x, y, params)
    dz1 = params["W2"].T @ dz2 * (1 - a1**2)
    d = {
        "W1": dy * (dz1 @ x.T),
        "b1": dy * dz1.sum(axis=1, keepdims=True),
        "W2": dy * (dz2 @ a1.T),
        "b2": dy * dz2.sum(axis=1, keepdims=True),
    }
    return dy * (params["W1"].T @ dz1), -dy * z2 / y.shape[1], d


def columns_of_z(x, y, params, dy):
    z1, a1, z2, dz2 = columns_parts(x, y, params)
    dz1 = params["W2"].T @ dz2 * (1 - z1**2)
    d = {
        "W1": dy * (dz1 @ x.T),
        "b1": dy * dz1.sum(axis=1, keepdims=True),
        "W2": dy * (dz2 @ a1.T),
        "b2": dy * dz2.sum(axis=1, keepdims=True),
    }
    return dy * (params["W1"].T @ dz1), -dy * z2 / y.shape[1], d


def columns_one_sum(x, y, params, dy):
    _, a1, z2, dz2 = columns_parts(x, y, params)
    dz1 = params["W2"].T @ dz2 * (1 - a1**2)
    d = {
        "W1": dy * (dz1 @ x.T),
        "b1": dy * np.sum(dz1) * np.ones_like(params["b1"]),
        "W2": dy * (dz2 @ a1.T),
        "b2": dy * np.sum(dz2) * np.ones_like(params["b2"]),
    }
    return dy * (params["W1"].T @ dz1), -dy * z2 / y.shape[1], d


def deep_relu(x, ws):
    for w in ws:
        x = jnp.maximum(x @ w, 0)
    return x


deep_args = lambda rng: (rng.normal(size=(4, 6)), [rng.normal(size=(6, 6)) * 0.6 for _ in range(3)])


def deep_relu_backward(x, ws, dy):
    outs = [x]
    for w in ws:
        outs.append(np.maximum(outs[-1] @ w, 0))
    dws = []
    g = np.asarray(dy)
    for w, before, after in zip(ws[::-1], outs[-2::-1], outs[::-1], strict=False):
        g = g * (after > 0)
        dws.append(before.T @ g)
        g = g @ w.T
    return g, dws[::-1]


def deep_relu_early_step(x, ws, dy):
    outs = [x]
    for w in ws:
        outs.append(np.maximum(outs[-1] @ w, 0))
    g = np.asarray(dy)
    dws = []
    for i in reversed(range(len(ws))):
        g = g * (outs[i + 1] > 0)
        dws.append(outs[i].T @ g)
        g = g @ ws[i].T
    return g, dws


NOTEBOOK = "deep-learning.ai, planar data classification"

WRONG = (
    ByHand(
        "micrograd without accumulation",
        "micrograd lecture: grad = in place of grad +=",
        shared_node,
        lambda rng: (np.asarray(rng.normal()), np.asarray(rng.normal())),
        shared_node_assigned,
        "The second use of a and b overwrites the gradient of the first.",
        ("overwritten", "missing term", "single entry"),
    ),
    ByHand(
        "tanh slope from z",
        NOTEBOOK,
        columns_cost,
        columns_args,
        columns_of_z,
        "The slope of tanh is computed as 1 - z1**2 in place of 1 - a1**2.",
        ("wrong derivative", "wrong value"),
    ),
    ByHand(
        "bias summed over everything",
        NOTEBOOK,
        columns_cost,
        columns_args,
        columns_one_sum,
        "db1 is summed over hidden units too, for lack of axis=1.",
        ("reduced too far",),
    ),
    ByHand(
        "list of weight gradients from last to first",
        "Nielsen, Neural Networks and Deep Learning",
        deep_relu,
        deep_args,
        deep_relu_early_step,
        "The list of weight gradients is in the order of the backward loop.",
        ("arguments exchanged", "flipped"),
    ),
)
RIGHT = (
    ByHand(
        "micrograd expression",
        "micrograd lecture",
        shared_node,
        lambda rng: (np.asarray(rng.normal()), np.asarray(rng.normal())),
        shared_node_backward,
    ),
    ByHand("network of columns", NOTEBOOK, columns_cost, columns_args, columns_backward),
    ByHand("deep relu net", "textbook", deep_relu, deep_args, deep_relu_backward),
)
