"""Attention and its masks."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def normals(*shapes):
    return lambda rng: tuple(rng.normal(size=shape) for shape in shapes)


def attend(q, k, v):
    return jax.nn.softmax(q @ k.T / np.sqrt(q.shape[1])) @ v


def attend_no_rowsum(q, k, v, do):
    c = 1 / np.sqrt(q.shape[1])
    p = jax.nn.softmax(c * q @ k.T)
    ds = p * (do @ v.T)
    return c * ds @ k, c * ds.T @ q, p.T @ do


def attend_heads(q, k, v):
    s = jnp.einsum("bhtd,bhsd->bhts", q, k) / jnp.sqrt(q.shape[-1])
    return jnp.einsum("bhts,bhsd->bhtd", jax.nn.softmax(s, axis=-1), v)


def attend_heads_rowsum_axis(q, k, v, do):
    c = q.shape[-1] ** -0.5
    p = jax.nn.softmax(c * jnp.einsum("bhtd,bhsd->bhts", q, k), axis=-1)
    o = jnp.einsum("bhts,bhsd->bhtd", p, v)
    delta = jnp.sum(do * o, axis=-2)[..., None]
    ds = p * (jnp.einsum("bhtd,bhsd->bhts", do, v) - delta)
    dq = c * jnp.einsum("bhts,bhsd->bhtd", ds, k)
    dk = c * jnp.einsum("bhts,bhtd->bhsd", ds, q)
    return dq, dk, jnp.einsum("bhts,bhtd->bhsd", p, do)


def band(n, w):
    i = np.arange(n)
    return np.abs(i[:, None] - i) <= w


def local(x, wq, wk):
    s = (x @ wq) @ (x @ wk).T
    return jax.nn.softmax(jnp.where(band(len(x), 2), s, -jnp.inf)) @ x


def local_off_by_one(x, wq, wk, dy):
    q, k = x @ wq, x @ wk
    p = jax.nn.softmax(jnp.where(band(len(x), 1), q @ k.T, -jnp.inf))
    dp = dy @ x.T
    ds = p * (dp - (p * dp).sum(1, keepdims=True))
    dq, dk = ds @ k, ds.T @ q
    return p.T @ dy + dq @ wq.T + dk @ wk.T, x.T @ dq, x.T @ dk


def causal(q, k, v):
    n = q.shape[1]
    s = q @ jnp.swapaxes(k, 1, 2) / np.sqrt(q.shape[2])
    s = jnp.where(jnp.tril(jnp.ones((n, n), bool)), s, -1e30)
    return jax.nn.softmax(s, axis=-1) @ v


def causal_mask_transposed(q, k, v, do):
    n, c = q.shape[1], q.shape[2] ** -0.5
    keep = np.tri(n, dtype=bool)
    p = jax.nn.softmax(jnp.where(keep, c * q @ k.transpose(0, 2, 1), -1e30), axis=-1)
    dp = do @ v.transpose(0, 2, 1)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True))
    ds = jnp.where(keep.T, ds, 0) * c
    return ds @ k, jnp.swapaxes(ds, 1, 2) @ q, jnp.swapaxes(p, 1, 2) @ do


def padded(q, k, v, valid):
    s = jnp.einsum("td,sd->ts", q, k)
    return jax.nn.softmax(jnp.where(valid, s, -jnp.inf), axis=1) @ v


def padded_args(rng):
    valid = np.array([1, 1, 0, 1, 0, 1], bool)
    q, k, v = rng.normal(size=(4, 3)), rng.normal(size=(6, 3)), rng.normal(size=(6, 5))
    return q, k, v, rng.permutation(valid)


def padded_after_softmax(q, k, v, valid, do):
    p = jax.nn.softmax(q @ k.T, axis=1) * valid
    dp = do @ v.T
    ds = p * (dp - (p * dp).sum(1, keepdims=True))
    return ds @ k, ds.T @ q, p.T @ do, None


def empty_rows(q, k, v, keep):
    s = jnp.where(keep, q @ k.T, -jnp.inf)
    m = jax.lax.stop_gradient(jnp.max(s, axis=1, keepdims=True))
    e = jnp.exp(s - jnp.where(jnp.isfinite(m), m, 0))
    z = e.sum(1, keepdims=True)
    return e / jnp.where(z == 0, 1, z) @ v


def empty_rows_args(rng):
    keep = rng.random((5, 4)) < 0.6
    keep[2], keep[4], keep[0, :3] = False, False, True
    return rng.normal(size=(5, 3)), rng.normal(size=(4, 3)), rng.normal(size=(4, 2)), keep


def empty_rows_backward(q, k, v, keep, do):
    dq, dk, dv, do = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v), np.asarray(do)
    for i in np.flatnonzero(keep.any(1)):
        j = np.flatnonzero(keep[i])
        p = np.exp(k[j] @ q[i])
        p /= p.sum()
        dp = v[j] @ do[i]
        ds = p * (dp - p @ dp)
        dq[i] = ds @ k[j]
        dk[j] += np.outer(ds, q[i])
        dv[j] += np.outer(p, do[i])
    return dq, dk, dv, None


def finite_mask(q, k, v, keep):
    return jax.nn.softmax(jnp.where(keep, q @ k.T, -1e9), axis=1) @ v


def finite_mask_backward(q, k, v, keep, do):
    p = jax.nn.softmax(jnp.where(keep, q @ k.T, -1e9), axis=1)
    ds = jnp.where(keep, p * (do @ v.T - jnp.sum(do * (p @ v), 1, keepdims=True)), 0)
    return ds @ k, ds.T @ q, p.T @ do, None


QKV = normals((4, 3), (6, 3), (6, 2))


HEADS = normals((2, 2, 4, 4), (2, 2, 4, 4), (2, 2, 4, 4))

WRONG = (
    ByHand(
        "attention without rowsum",
        "Dao et al. 2022, FlashAttention, equation of dS",
        attend,
        QKV,
        attend_no_rowsum,
        "ds = p * dp, without the row sum of do * o",
        ("missing term",),
    ),
    ByHand(
        "attention rowsum over tokens",
        "Dao et al. 2022, FlashAttention, algorithm 4",
        attend_heads,
        HEADS,
        attend_heads_rowsum_axis,
        "the sum of do * o runs over tokens instead of features",
        ("wrong axis",),
    ),
    ByHand(
        "local attention narrower band",
        "Beltagy et al. 2020, Longformer",
        local,
        normals((6, 3), (3, 3), (3, 3)),
        local_off_by_one,
        "the band of the recomputed probabilities is one narrower on each side",
        ("mask",),
    ),
    ByHand(
        "causal attention mask transposed",
        "homework",
        causal,
        normals((2, 5, 3), (2, 5, 3), (2, 5, 3)),
        causal_mask_transposed,
        "ds is masked with the transposed causal mask",
        ("mask", "transposed", "truncated in time"),
    ),
    ByHand(
        "padded attention masked after softmax",
        "common bug in recomputed attention",
        padded,
        padded_args,
        padded_after_softmax,
        "the padding mask multiplies the probabilities after softmax instead of the scores before",
        ("mask", "wrong value", "missing factor"),
    ),
)


RIGHT = (
    ByHand(
        "attention with empty rows",
        "flash attention, fully masked rows",
        empty_rows,
        empty_rows_args,
        empty_rows_backward,
    ),
    ByHand(
        "attention with finite mask",
        "mask of -1e9, fully masked rows",
        finite_mask,
        empty_rows_args,
        finite_mask_backward,
    ),
)
