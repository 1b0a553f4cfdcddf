"""Attention with one head: masks, relative biases and tiles."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def softmax(s):
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_back(p, dp):
    return p * (dp - np.sum(p * dp, axis=-1, keepdims=True))


def padded(q, k, v, valid):
    """Queries of empty sequences return 0."""
    s = jnp.where(valid[:, None, :], jnp.einsum("bid,bjd->bij", q, k), -1e30)
    return jnp.einsum("bij,bjd->bid", jax.nn.softmax(s, axis=-1) * valid[:, None, :], v)


def padded_args(rng):
    lengths = np.array([5, 0, rng.integers(1, 5)])
    qkv = (rng.normal(size=(3, 4, 3)), rng.normal(size=(3, 5, 3)), rng.normal(size=(3, 5, 2)))
    return *qkv, np.arange(5) < lengths[:, None]


def padded_pass(q, k, v, p, dy):
    ds = softmax_back(p, np.einsum("bid,bjd->bij", dy, v))
    dq, dk = np.einsum("bij,bjd->bid", ds, k), np.einsum("bij,bid->bjd", ds, q)
    return dq, dk, np.einsum("bij,bid->bjd", p, dy), None


def padded_by_infinity(q, k, v, valid, dy):
    s = np.einsum("bid,bjd->bij", q, k)
    with np.errstate(invalid="ignore"):
        return padded_pass(q, k, v, softmax(np.where(valid[:, None], s, -np.inf)), dy)


def padded_safe(q, k, v, valid, dy):
    s = np.where(valid[:, None], np.einsum("bid,bjd->bij", q, k), -np.inf)
    top = s.max(axis=-1, keepdims=True)
    e = np.exp(s - np.where(np.isfinite(top), top, 0))
    return padded_pass(q, k, v, e / np.maximum(e.sum(axis=-1, keepdims=True), 1e-300), dy)


def padded_unmasked(q, k, v, valid, dy):
    p = softmax(np.einsum("bid,bjd->bij", q, k))
    return padded_pass(q, k, v, p, dy)


def relative(q, k, v, table):
    """One bias for every distance, as in Swin and T5."""
    i = jnp.arange(q.shape[0])
    s = q @ k.T + table[i[:, None] - i + len(i) - 1]
    return jax.nn.softmax(s, axis=-1) @ v


relative_args = lambda rng: (*(rng.normal(size=(5, 3)) for _ in range(3)), rng.normal(size=9))


def relative_parts(q, k, v, table, dy):
    at = np.arange(5)[:, None] - np.arange(5) + 4
    p = softmax(q @ k.T + table[at])
    return at, p, softmax_back(p, dy @ v.T)


def relative_backward(q, k, v, table, dy):
    _, p, ds = relative_parts(q, k, v, table, dy)
    diagonals = [np.trace(ds, offset=4 - n) for n in range(9)]
    return ds @ k, ds.T @ q, p.T @ dy, np.array(diagonals)


def relative_assigned(q, k, v, table, dy):
    at, p, ds = relative_parts(q, k, v, table, dy)
    dtable = np.zeros_like(table)
    dtable[at] += ds
    return ds @ k, ds.T @ q, p.T @ dy, dtable


def long_causal(q, k, v):
    s = jnp.where(jnp.tri(q.shape[0], dtype=bool), q @ k.T, -jnp.inf)
    return jax.nn.softmax(s, axis=-1) @ v


long_args = lambda rng: tuple(rng.normal(size=(12, 4)) for _ in range(3))


def tiles(q, k, v, dy):
    """FlashAttention 2: log-sum-exp and delta per row, then tiles of four by four."""
    s = np.where(np.tri(12, dtype=bool), q @ k.T, -np.inf)
    p = softmax(s)
    lse = np.log(np.exp(s).sum(-1))
    delta = np.sum(dy * (p @ v), axis=-1)
    for j in range(0, 12, 4):
        for i in range(j, 12, 4):
            rows, cols = slice(i, i + 4), slice(j, j + 4)
            pij = np.exp(s[rows, cols] - lse[rows, None])
            dsij = pij * (dy[rows] @ v[cols].T - delta[rows, None])
            yield rows, cols, pij, dsij


def tiles_backward(q, k, v, dy):
    dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    for rows, cols, p, ds in tiles(q, k, v, dy):
        dq[rows] += ds @ k[cols]
        dk[cols] += ds.T @ q[rows]
        dv[cols] += p.T @ dy[rows]
    return dq, dk, dv


def tiles_overwriting(q, k, v, dy):
    dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    for rows, cols, p, ds in tiles(q, k, v, dy):
        dq[rows] = ds @ k[cols]
        dk[cols] += ds.T @ q[rows]
        dv[cols] += p.T @ dy[rows]
    return dq, dk, dv


def causal_transposed_mask(q, k, v, dy):
    p = softmax(np.where(np.tri(12, dtype=bool), q @ k.T, -np.inf))
    ds = softmax_back(p, np.where(np.tri(12, dtype=bool).T, dy @ v.T, 0))
    return ds @ k, ds.T @ q, p.T @ dy


WRONG = (
    ByHand(
        "empty sequence with minus infinity",
        "issues on fully masked rows",
        padded,
        padded_args,
        padded_by_infinity,
        "The softmax of a fully masked row is computed as 0 / 0.",
        ("not finite",),
    ),
    ByHand(
        "padding unmasked in the backward pass",
        "recomputed attention",
        padded,
        padded_args,
        padded_unmasked,
        "The weights are recomputed without the padding mask.",
        ("mask", "wrong value"),
    ),
    ByHand(
        "relative bias assigned",
        "Swin ports",
        relative,
        relative_args,
        relative_assigned,
        "Pairs of the same distance overwrite each other in the bias table.",
        ("overwritten", "missing term"),
    ),
    ByHand(
        "tiles overwrite dq",
        "FlashAttention written by hand",
        long_causal,
        long_args,
        tiles_overwriting,
        "Each column of tiles overwrites dq in place of adding to it.",
        ("overwritten", "missing term"),
    ),
    ByHand(
        "causal mask transposed",
        "minGPT questions",
        long_causal,
        long_args,
        causal_transposed_mask,
        "The gradient of the weights is masked by the upper triangle.",
        ("mask", "transposed"),
    ),
)
RIGHT = (
    ByHand("empty sequence", "fully masked rows", padded, padded_args, padded_safe),
    ByHand("relative bias by traces", "Swin", relative, relative_args, relative_backward),
    ByHand("tiles", "FlashAttention 2", long_causal, long_args, tiles_backward),
)
