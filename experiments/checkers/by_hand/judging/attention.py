"""Attention with one head: scores and caps."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def softmax(s):
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_back(p, dp):
    return p * (dp - np.sum(p * dp, axis=-1, keepdims=True))


def sdpa(q, k, v):
    p = jax.nn.softmax(q @ k.T / jnp.sqrt(q.shape[-1]), axis=-1)
    return p @ v


sdpa_args = lambda rng: tuple(rng.normal(size=(5, 5)) for _ in range(3))


def sdpa_backward(q, k, v, dy):
    r = 1 / np.sqrt(5)
    p = softmax(q @ k.T * r)
    ds = softmax_back(p, dy @ v.T) * r
    return ds @ k, ds.T @ q, p.T @ dy


def sdpa_diagonal(q, k, v, dy):
    r = 1 / np.sqrt(5)
    p = softmax(q @ k.T * r)
    ds = p * (1 - p) * (dy @ v.T) * r
    return ds @ k, ds.T @ q, p.T @ dy


def with_weights(q, memory):
    """Keys and values are one array; the weights are returned too."""
    p = jax.nn.softmax(q @ memory.swapaxes(-1, -2), axis=-1)
    return {"out": p @ memory, "weights": p}


memory_args = lambda rng: (rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 6, 4)))


def with_weights_backward(q, memory, dy):
    p = softmax(np.einsum("bid,bjd->bij", q, memory))
    dp = dy["weights"] + np.einsum("bid,bjd->bij", dy["out"], memory)
    ds = softmax_back(p, dp)
    dm = np.einsum("bij,bid->bjd", p, dy["out"]) + np.einsum("bij,bid->bjd", ds, q)
    return np.einsum("bij,bjd->bid", ds, memory), dm


def softcap(q, k, v, cap):
    s = cap * jnp.tanh(q @ k.T / cap)
    return jax.nn.softmax(s, axis=-1) @ v


def softcap_args(rng):
    q, k, v = rng.normal(size=(4, 6)), rng.normal(size=(7, 6)), rng.normal(size=(7, 3))
    return q, k, v, np.asarray(rng.uniform(2, 4))


def softcap_backward(q, k, v, cap, dy):
    z = q @ k.T
    t = np.tanh(z / cap)
    p = softmax(cap * t)
    ds = softmax_back(p, dy @ v.T)
    dz = ds * (1 - t**2)
    return dz @ k, dz.T @ q, p.T @ dy, np.sum(ds * (t - z / cap * (1 - t**2)))


def softcap_of_capped(q, k, v, cap, dy):
    z = q @ k.T
    s = cap * np.tanh(z / cap)
    p = softmax(s)
    ds = softmax_back(p, dy @ v.T)
    dz = ds * (1 - s**2)
    dcap = np.sum(ds * (s / cap - z / cap * (1 - (s / cap) ** 2)))
    return dz @ k, dz.T @ q, p.T @ dy, dcap


def additive(query, keys, w, u, a):
    """Bahdanau: scores a . tanh(W q + U k)."""
    s = jnp.tanh(query @ w + keys @ u) @ a
    return jax.nn.softmax(s) @ keys


def additive_args(rng):
    w = lambda *s: rng.normal(size=s)
    return w(4), w(6, 4), w(4, 5), w(4, 5), w(5)


def additive_backward(query, keys, w, u, a, dy):
    h = np.tanh(query @ w + keys @ u)
    p = softmax(h @ a)
    ds = softmax_back(p, keys @ dy)
    dz = np.outer(ds, a) * (1 - h**2)
    dkeys = np.outer(p, dy) + dz @ u.T
    return w @ dz.sum(0), dkeys, np.outer(query, dz.sum(0)), keys.T @ dz, h.T @ ds


def additive_query_per_key(query, keys, w, u, a, dy):
    h = np.tanh(query @ w + keys @ u)
    p = softmax(h @ a)
    ds = softmax_back(p, keys @ dy)
    dz = np.outer(ds, a) * (1 - h**2)
    dkeys = np.outer(p, dy) + dz @ u.T
    return dz @ w.T, dkeys, np.outer(query, dz.sum(0)), keys.T @ dz, h.T @ ds


def cosine(q, k, v, log_scale):
    """Swin v2: normalized queries and keys and a learned scale."""
    qn = q / jnp.linalg.norm(q, axis=-1, keepdims=True)
    kn = k / jnp.linalg.norm(k, axis=-1, keepdims=True)
    return jax.nn.softmax(jnp.exp(log_scale) * qn @ kn.T, axis=-1) @ v


def cosine_args(rng):
    return *(rng.normal(size=(n, 4)) for n in (3, 6, 6)), np.asarray(rng.normal())


def cosine_backward(q, k, v, log_scale, dy):
    nq, nk = (np.sqrt(np.sum(a * a, axis=-1, keepdims=True)) for a in (q, k))
    a, b, g = q / nq, k / nk, np.exp(log_scale)
    c = a @ b.T
    p = softmax(g * c)
    ds = softmax_back(p, dy @ v.T)
    da, db = g * ds @ b, g * ds.T @ a
    dq = (da - a * np.sum(a * da, axis=-1, keepdims=True)) / nq
    dk = (db - b * np.sum(b * db, axis=-1, keepdims=True)) / nk
    return dq, dk, p.T @ dy, g * np.sum(ds * c)


def half_scores(q, k, v):
    """Scores from bfloat16 products, the rest in float32."""
    qh, kh = jnp.asarray(q, jnp.bfloat16), jnp.asarray(k, jnp.bfloat16)
    s = (qh @ kh.T).astype(jnp.float32)
    return jax.nn.softmax(s, axis=-1) @ v


def half_args(rng):
    return tuple((rng.normal(size=s) * 0.5).astype(np.float32) for s in ((6, 4), (8, 4), (8, 4)))


def half_scores_backward(q, k, v, dy):
    qh, kh = jnp.asarray(q, jnp.bfloat16), jnp.asarray(k, jnp.bfloat16)
    p = jax.nn.softmax((qh @ kh.T).astype(jnp.float32), axis=-1)
    dp = dy @ v.T
    ds = (p * (dp - jnp.sum(p * dp, -1, keepdims=True))).astype(jnp.bfloat16)
    return (ds @ kh).astype(jnp.float32), (ds.T @ qh).astype(jnp.float32), p.T @ dy


D2L = "d2l.ai, attention"

WRONG = (
    ByHand(
        "softmax by its diagonal",
        "questions on the softmax Jacobian",
        sdpa,
        sdpa_args,
        sdpa_diagonal,
        "The softmax is differentiated as p (1 - p), without the other entries of the row.",
        ("missing term", "wrong derivative"),
    ),
    ByHand(
        "softcap slope of the capped score",
        "Gemma 2 kernels",
        softcap,
        softcap_args,
        softcap_of_capped,
        "The slope of the cap is 1 - s**2 with s not divided by the cap.",
        ("wrong derivative", "wrong value", "missing factor"),
    ),
    ByHand(
        "additive attention query per key",
        D2L,
        additive,
        additive_args,
        additive_query_per_key,
        "dq is not summed over the keys.",
        ("not reduced",),
    ),
)
RIGHT = (
    ByHand("attention of one head", D2L, sdpa, sdpa_args, sdpa_backward),
    ByHand("attention and its weights", D2L, with_weights, memory_args, with_weights_backward),
    ByHand("softcap with its cap", "Gemma 2", softcap, softcap_args, softcap_backward),
    ByHand("additive attention", D2L, additive, additive_args, additive_backward),
    ByHand("cosine attention", "Swin v2", cosine, cosine_args, cosine_backward),
    ByHand("bfloat16 scores", "mixed precision", half_scores, half_args, half_scores_backward),
)
