"""Gated units, maxout and dropout."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand

sigmoid = lambda z: 1 / (1 + np.exp(-z))


def swiglu(x, w, v):
    """One matrix for gate and value, as in fused implementations."""
    g, u = jnp.split(x @ w, 2, axis=-1)
    return (g * jax.nn.sigmoid(g) * u) @ v


def swiglu_args(rng):
    return rng.normal(size=(5, 4)), rng.normal(size=(4, 12)), rng.normal(size=(6, 3))


def swiglu_halves(x, w, v, dy):
    g, u = np.split(x @ w, 2, axis=-1)
    s = sigmoid(g)
    da = dy @ v.T
    dg = da * u * (s + g * s * (1 - s))
    dz = np.concatenate([da * g * s, dg], axis=-1)
    return dz @ w.T, x.T @ dz, (g * s * u).T @ dy


def swiglu_backward(x, w, v, dy):
    f = v.shape[0]
    g, u = x @ w[:, :f], x @ w[:, f:]
    s = sigmoid(g)
    da = dy @ v.T
    du = da * g * s
    dg = da * u * s * (1 + g * (1 - s))
    dw = np.hstack([x.T @ dg, x.T @ du])
    return dg @ w[:, :f].T + du @ w[:, f:].T, dw, np.einsum("nf,nd->fd", g * s * u, dy)


def maxout(x, w):
    return jnp.max(jnp.einsum("nd,kdf->nkf", x, w), axis=1)


def maxout_args(rng):
    x = rng.integers(-2, 3, size=(7, 3)).astype(float)
    return x, rng.integers(-1, 2, size=(4, 3, 5)).astype(float)


def maxout_all_ties(x, w, dy):
    z = np.einsum("nd,kdf->nkf", x, w)
    dz = (z == z.max(axis=1, keepdims=True)) * np.asarray(dy)[:, None, :]
    return np.einsum("nkf,kdf->nd", dz, w), np.einsum("nd,nkf->kdf", x, dz)


def maxout_shared_ties(x, w, dy):
    z = np.einsum("nd,kdf->nkf", x, w)
    top = z == z.max(axis=1, keepdims=True)
    dz = top / top.sum(axis=1, keepdims=True) * np.asarray(dy)[:, None, :]
    return np.einsum("nkf,kdf->nd", dz, w), np.einsum("nd,nkf->kdf", x, dz)


def dropout(x, mask, rate):
    return x * mask / (1 - rate)


def dropout_args(rng):
    return rng.normal(size=(6, 9)), (rng.random((6, 9)) > 0.3).astype(float), np.asarray(0.3)


def dropout_unscaled(x, mask, rate, dy):
    return dy * mask, dy * x / (1 - rate), np.sum(dy * x * mask) / (1 - rate) ** 2


def dropout_from_key(x, w, key):
    keep = jax.random.bernoulli(key, 0.6, x.shape)
    return jnp.where(keep, x / 0.6, 0) @ w


def dropout_key_args(rng):
    key = np.asarray(jax.random.PRNGKey(int(rng.integers(1 << 30))))
    return rng.normal(size=(8, 6)), rng.normal(size=(6, 6)), key


def dropout_key_backward(x, w, key, dy):
    kept = jax.random.bernoulli(key, 0.6, x.shape) / 0.6
    return kept * (dy @ w.T), (kept * x).T @ dy, None


def dropout_other_key(x, w, key, dy):
    kept = jax.random.bernoulli(key, 0.6, x.shape) / 0.6
    again = jax.random.bernoulli(jax.random.split(key)[0], 0.6, x.shape) / 0.6
    return again * (dy @ w.T), (kept * x).T @ dy, None


def dropout_global_generator(x, w, key, dy):
    kept = jax.random.bernoulli(key, 0.6, x.shape) / 0.6
    again = (np.random.default_rng().random(x.shape) < 0.6) / 0.6
    return again * (dy @ w.T), (kept * x).T @ dy, None


def highway(x, params):
    """Highway layer with a gate T: y = T h + (1 - T) x."""
    h = jnp.tanh(x @ params["wh"] + params["bh"])
    t = jax.nn.sigmoid(x @ params["wt"] + params["bt"])
    return t * h + (1 - t) * x


def highway_args(rng):
    w = lambda: rng.normal(size=(5, 5)) * 0.5
    params = {"wh": w(), "bh": rng.normal(size=5), "wt": w(), "bt": rng.normal(size=5) - 1}
    return rng.normal(size=(6, 5)), params


def highway_backward(x, params, dy):
    h = np.tanh(x @ params["wh"] + params["bh"])
    t = sigmoid(x @ params["wt"] + params["bt"])
    dzh = dy * t * (1 - h) * (1 + h)
    dzt = dy * (h - x) * t * (1 - t)
    dx = dy - dy * t + dzh @ params["wh"].T + dzt @ params["wt"].T
    return dx, {"wh": x.T @ dzh, "bh": dzh.sum(0), "wt": x.T @ dzt, "bt": dzt.sum(0)}


DROPOUT = "CS231n, dropout"

WRONG = (
    ByHand(
        "swiglu gate and value exchanged",
        "fused SwiGLU kernels",
        swiglu,
        swiglu_args,
        swiglu_halves,
        "The halves of the gradient are joined as (value, gate).",
        ("channels exchanged",),
    ),
    ByHand(
        "maxout with every tie",
        "CS231n, maximum gate",
        maxout,
        maxout_args,
        maxout_all_ties,
        "Every tied unit receives the whole gradient.",
        ("ties",),
    ),
    ByHand(
        "dropout without scale",
        DROPOUT,
        dropout,
        dropout_args,
        dropout_unscaled,
        "dx is not divided by 1 - rate.",
        ("constant factor", "missing factor"),
    ),
    ByHand(
        "dropout with another key",
        DROPOUT,
        dropout_from_key,
        dropout_key_args,
        dropout_other_key,
        "dx uses a mask drawn from a split of the key.",
        ("mask", "wrong value"),
    ),
    ByHand(
        "dropout drawn anew",
        DROPOUT,
        dropout_from_key,
        dropout_key_args,
        dropout_global_generator,
        "dx draws another mask at every call.",
        ("not deterministic", "mask"),
    ),
)
RIGHT = (
    ByHand("swiglu by halves", "GLU variants", swiglu, swiglu_args, swiglu_backward),
    ByHand("maxout with shared ties", "CS231n", maxout, maxout_args, maxout_shared_ties),
    ByHand(
        "dropout of a given key", DROPOUT, dropout_from_key, dropout_key_args, dropout_key_backward
    ),
    ByHand("highway layer", "Highway Networks", highway, highway_args, highway_backward),
)
