"""Attention in several layouts: masks, biases, positions, linear and cross attention."""

import jax
import jax.numpy as jnp

from experiments.checkers.functions.function import Function


def heads_first(q, k, v):
    """softmax(q k^T / sqrt(d)) v on batch x heads x time x channels."""
    scores = q @ k.swapaxes(-1, -2) / jnp.sqrt(q.shape[-1]).astype(q.dtype)
    return jax.nn.softmax(scores, axis=-1) @ v


def heads_last(x, wq, wk, wv, wo):
    """Self-attention with weights model x heads x channels."""
    q = jnp.einsum("td,dhc->thc", x, wq)
    k = jnp.einsum("td,dhc->thc", x, wk)
    v = jnp.einsum("td,dhc->thc", x, wv)
    p = jax.nn.softmax(jnp.einsum("thc,shc->hts", q, k) * q.shape[-1] ** -0.5)
    return jnp.einsum("hts,shc,hcd->td", p, v, wo)


def grouped_query(q, k, v):
    """Several query heads share one key and value head."""
    b, t, h, c = q.shape
    q = q.reshape(b, t, k.shape[2], -1, c)
    weights = jax.nn.softmax(jnp.einsum("btkgc,bskc->bkgts", q, k), axis=-1)
    return jnp.einsum("bkgts,bskc->btkgc", weights, v).reshape(b, t, h, c)


def causal(qkv, w_out):
    """Causal self-attention from a packed projection."""
    q, k, v = jnp.moveaxis(qkv, -2, 0)
    t = q.shape[0]
    mask = jnp.tril(jnp.ones((t, t), bool))
    scores = jnp.where(mask, q @ k.T, -jnp.inf)
    return jax.nn.softmax(scores, axis=1) @ v @ w_out


def alibi(q, k, v, slopes):
    """Scores less a slope per head times the distance to the past key."""
    t = q.shape[1]
    i = jnp.arange(t)
    distance = (i[:, None] - i[None, :]).astype(q.dtype)
    scores = jnp.einsum("htc,hsc->hts", q, k) - jnp.exp(slopes)[:, None, None] * distance
    scores = jnp.where(distance >= 0, scores, jnp.finfo(q.dtype).min)
    return jax.nn.softmax(scores) @ v


def softcap(q, k, v, cap):
    """Scores bounded by cap tanh(s / cap) before the softmax, queries on the last axis."""
    scores = cap * jnp.tanh(k.T @ q / cap)
    return v.T @ jax.nn.softmax(scores, axis=0)


def cross(x, memory, lengths, w_kv):
    """Queries from x, keys and values from a padded memory."""
    k, v = jnp.split(memory @ w_kv, [x.shape[-1]], axis=-1)
    padded = jnp.arange(memory.shape[1])[None, :] >= lengths[:, None]
    scores = jnp.einsum("bqd,bkd->bqk", x, k) + jnp.where(padded, -1e9, 0.0)[:, None]
    return jnp.einsum("bqk,bkd->bqd", jax.nn.softmax(scores, axis=2), v)


def linear_attention(q, k, v):
    """phi(q) (phi(k)^T v) / phi(q) sum phi(k), phi = elu + 1, causal by cumsum."""
    q, k = jax.nn.elu(q) + 1, jax.nn.elu(k) + 1
    kv = jnp.cumsum(k[:, :, None] * v[:, None, :], axis=0)
    z = jnp.cumsum(k, axis=0)
    return jnp.einsum("tc,tcd->td", q, kv) / jnp.sum(q * z, axis=-1, keepdims=True)


def rope(q, k):
    """Scores of queries and keys rotated by their positions."""

    def rotate(x):
        half = x.shape[-1] // 2
        freq = 10.0 ** -(jnp.arange(half, dtype=x.dtype) / half)
        angle = jnp.arange(x.shape[0], dtype=x.dtype)[:, None] * freq
        a, b = x[:, :half], x[:, half:]
        c, s = jnp.cos(angle), jnp.sin(angle)
        return jnp.concatenate([a * c - b * s, a * s + b * c], axis=-1)

    return jax.nn.log_softmax(rotate(q) @ rotate(k).T)


def local_window(q, k, v):
    """Each query sees three keys around it, gathered into a window axis."""
    index = jnp.arange(q.shape[0])[:, None] + jnp.arange(-1, 2)[None, :]
    inside = (index >= 0) & (index < q.shape[0])
    index = jnp.clip(index, 0, q.shape[0] - 1)
    k_near, v_near = jnp.take(k, index, axis=0), jnp.take(v, index, axis=0)
    scores = jnp.einsum("tc,twc->tw", q, k_near)
    p = jax.nn.softmax(scores, axis=-1, where=inside)
    return jnp.einsum("tw,twc->tc", p, v_near)


def attention_sink(q, kv, sink):
    """One key and value head; a learned logit per head takes part of the mass."""
    scores = jnp.einsum("hqc,kc->hqk", q, kv)
    extra = jnp.broadcast_to(sink[:, None, None], (*scores.shape[:2], 1))
    p = jax.nn.softmax(jnp.concatenate([scores, extra], axis=-1), axis=-1)
    return p[..., :-1] @ kv


def additive(query, keys, wq, wk, v):
    """Bahdanau: s_i = v tanh(q W + k_i U); the context and its weights."""
    s = jnp.tanh((query @ wq)[:, None] + keys @ wk) @ v
    weights = jax.nn.softmax(s, axis=1)
    return jnp.einsum("bt,btd->bd", weights, keys), weights


FUNCTIONS = (
    Function(
        "heads_first",
        heads_first,
        lambda rng: (
            rng.normal(size=(2, 3, 4, 5)),
            rng.normal(size=(2, 3, 6, 5)),
            rng.normal(size=(2, 3, 6, 4)),
        ),
    ),
    Function(
        "heads_last",
        heads_last,
        lambda rng: (
            rng.normal(size=(5, 6)),
            rng.normal(size=(6, 2, 3)),
            rng.normal(size=(6, 2, 3)),
            rng.normal(size=(6, 2, 4)),
            rng.normal(size=(2, 4, 6)),
        ),
    ),
    Function(
        "grouped_query",
        grouped_query,
        lambda rng: (
            rng.normal(size=(2, 3, 4, 5)),
            rng.normal(size=(2, 6, 2, 5)),
            rng.normal(size=(2, 6, 2, 5)),
        ),
    ),
    Function(
        "causal",
        causal,
        lambda rng: (rng.normal(size=(4, 3, 4)), rng.normal(size=(4, 4))),
    ),
    Function(
        "alibi",
        alibi,
        lambda rng: (
            rng.normal(size=(2, 5, 3)),
            rng.normal(size=(2, 5, 3)),
            rng.normal(size=(2, 5, 4)),
            rng.normal(size=2) / 2,
        ),
    ),
    Function(
        "softcap",
        softcap,
        lambda rng: (
            rng.normal(size=(3, 4)),
            rng.normal(size=(3, 6)),
            rng.normal(size=(6, 5)),
            rng.uniform(2, 4, size=()),
        ),
    ),
    Function(
        "cross",
        cross,
        lambda rng: (
            rng.normal(size=(3, 2, 4)),
            rng.normal(size=(3, 6, 5)),
            rng.integers(2, 7, size=3),
            rng.normal(size=(5, 7)) / 2,
        ),
    ),
    Function(
        "linear_attention",
        linear_attention,
        lambda rng: (
            rng.normal(size=(5, 5)),
            rng.normal(size=(5, 5)),
            rng.normal(size=(5, 5)),
        ),
    ),
    Function("rope", rope, lambda rng: (rng.normal(size=(5, 6)), rng.normal(size=(4, 6)))),
    Function(
        "local_window",
        local_window,
        lambda rng: (
            rng.normal(size=(7, 4)),
            rng.normal(size=(7, 4)),
            rng.normal(size=(7, 5)),
        ),
    ),
    Function(
        "attention_sink",
        attention_sink,
        lambda rng: (
            rng.normal(size=(3, 2, 4)),
            rng.normal(size=(5, 4)),
            rng.normal(size=3),
        ),
    ),
    Function(
        "additive",
        additive,
        lambda rng: (
            rng.normal(size=(2, 3)),
            rng.normal(size=(2, 6, 4)),
            rng.normal(size=(3, 5)),
            rng.normal(size=(4, 5)),
            rng.normal(size=5),
        ),
    ),
)
