"""Gathers, scatters and windows."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def embed(table, ids, w):
    return jnp.tanh(table[ids] @ w)


def embed_args(rng):
    return rng.normal(size=(4, 3)), rng.integers(0, 4, size=(2, 5)), rng.normal(size=(3, 3))


def embed_overwritten(table, ids, w, dy):
    da = np.asarray(dy * (1 - embed(table, ids, w) ** 2))
    dtable = np.zeros_like(table)
    dtable[ids] = da @ w.T
    return dtable, None, np.einsum("bti,btj->ij", table[ids], da)


def message_passing(x, w, source, target):
    return jax.ops.segment_sum(x[source] * w[:, None], target, num_segments=len(x))


def message_args(rng):
    source, target = rng.integers(0, 5, size=(2, 12))
    return rng.normal(size=(5, 3)), rng.normal(size=12), source, target


def message_overwritten(x, w, source, target, dy):
    g = dy[target]
    dx = jnp.zeros_like(x).at[source].set(g * w[:, None])
    return dx, jnp.sum(g * x[source], axis=1), None, None


def conv1d(x, k):
    """x (batch, channels, time), k (out, channels, width), no padding."""
    n = x.shape[2] - k.shape[2] + 1
    windows = jnp.stack([x[:, :, i : i + k.shape[2]] for i in range(n)], axis=1)
    return jnp.einsum("bncw,ocw->bon", windows, k)


def conv1d_overwritten(x, k, dy):
    width, dy = k.shape[2], np.asarray(dy)
    dx, dk = np.zeros_like(x), np.zeros_like(k)
    for i in range(dy.shape[2]):
        dx[:, :, i : i + width] = np.tensordot(dy[:, :, i], k, 1)
        dk += np.einsum("bo,bcw->ocw", dy[:, :, i], x[:, :, i : i + width])
    return dx, dk


def frames(x, window):
    i = 2 * jnp.arange(5)[:, None] + jnp.arange(4)
    return x[i] * window


def frames_overwritten(x, window, dy):
    i = 2 * jnp.arange(5)[:, None] + jnp.arange(4)
    return jnp.zeros_like(x).at[i].set(dy * window), jnp.sum(dy * x[i], axis=0)


def frames_backward(x, window, dy):
    dx = np.zeros_like(x)
    for i, g in enumerate(np.asarray(dy * window)):
        dx[2 * i : 2 * i + 4] += g
    return dx, sum(dy[i] * x[2 * i : 2 * i + 4] for i in range(5))


def assign(x, u, rows):
    return x.at[rows].set(u)


def assign_args(rng):
    return rng.normal(size=(6, 3)), rng.normal(size=(2, 3)), rng.choice(6, 2, replace=False)


def assign_without_mask(x, u, rows, dy):
    return dy, dy[rows], None


def cache_update(cache, k, w):
    return jax.lax.dynamic_update_slice(cache, k @ w, (2, 0))


def cache_update_late(cache, k, w, dy):
    t = np.arange(len(cache))[:, None]
    g = dy[2 : 2 + len(k)]
    return np.where((t > 2) & (t <= 2 + len(k)), 0, dy), g @ w.T, k.T @ g


WRONG = (
    ByHand(
        "embedding overwritten",
        "NumPy fancy assignment",
        embed,
        embed_args,
        embed_overwritten,
        "repeated ids overwrite their gradient",
        ("overwritten",),
    ),
    ByHand(
        "messages overwritten",
        "at[].set for at[].add",
        message_passing,
        message_args,
        message_overwritten,
        "the gradients of several edges from one node overwrite each other",
        ("overwritten",),
    ),
    ByHand(
        "windows overwritten",
        "col2im",
        conv1d,
        lambda rng: (rng.normal(size=(2, 3, 7)), rng.normal(size=(4, 3, 3))),
        conv1d_overwritten,
        "overlapping windows overwrite each other in dx",
        ("overwritten",),
    ),
    ByHand(
        "frames overwritten",
        "short-time Fourier transform",
        frames,
        lambda rng: (rng.normal(size=12), rng.normal(size=4)),
        frames_overwritten,
        "overlapping frames overwrite each other in dx",
        ("overwritten",),
    ),
    ByHand(
        "assignment without mask",
        "index_put",
        assign,
        assign_args,
        assign_without_mask,
        "dx is not zero in the rows that were overwritten",
        ("mask", "missing factor"),
    ),
    ByHand(
        "cache update masked late",
        "key cache of a decoder",
        cache_update,
        lambda rng: (rng.normal(size=(7, 4)), rng.normal(size=(3, 2)), rng.normal(size=(2, 4))),
        cache_update_late,
        "the mask of the overwritten rows lies one row too late",
        ("mask", "shifted"),
    ),
)


RIGHT = (
    ByHand(
        "frames added",
        "short-time Fourier transform",
        frames,
        lambda rng: (rng.normal(size=12), rng.normal(size=4)),
        frames_backward,
    ),
)
