"""Convolution over time: causal, strided and transposed."""

import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def causal(x, w):
    """Dilated causal convolution over time, x (batch, time, channel), w (tap, in, out)."""
    K, T = w.shape[0], x.shape[1]
    xp = jnp.pad(x, ((0, 0), (2 * (K - 1), 0), (0, 0)))
    return sum(xp[:, 2 * k : 2 * k + T] @ w[k] for k in range(K))


causal_args = lambda rng: (rng.normal(size=(2, 9, 3)), rng.normal(size=(3, 3, 4)))


def causal_dw(x, w, dy, shift):
    T = x.shape[1]
    xp = np.pad(x, ((0, 0), (4, 0), (0, 0)))
    taps = [xp[:, 2 * k : 2 * k + T] for k in range(3)]
    return np.stack([np.einsum("bti,bto->io", t, np.roll(dy, shift, axis=1)) for t in taps])


def causal_backward(x, w, dy):
    T = x.shape[1]
    dp = np.pad(dy, ((0, 0), (0, 4), (0, 0)))
    dx = np.zeros_like(x)
    for k in range(3):
        dx += dp[:, 4 - 2 * k : 4 - 2 * k + T] @ w[k].T
    return dx, causal_dw(x, w, dy, 0)


def causal_late(x, w, dy):
    T = x.shape[1]
    dp = np.pad(dy, ((0, 0), (0, 5), (0, 0)))
    dx = np.zeros_like(x)
    for k in range(3):
        dx += dp[:, 5 - 2 * k : 5 - 2 * k + T] @ w[k].T
    return dx, causal_dw(x, w, dy, 0)


def strided(x, w):
    return jnp.einsum("bnk,ko->bno", x[:, : x.shape[1] // 2 * 2].reshape(x.shape[0], -1, 2), w)


strided_args = lambda rng: (rng.normal(size=(3, 11)), rng.normal(size=(2, 4)))


def strided_one_tap(x, w, dy):
    dx = np.zeros_like(x)
    dx[:, 0:10:2] = np.asarray(dy) @ w[0]
    return dx, np.einsum("bnk,bno->ko", x[:, :10].reshape(3, 5, 2), dy)


def conv_transpose(x, w):
    """Length n to 3 n - 1: stride 3, kernel 2, w (in, tap, out)."""
    y = jnp.einsum("nti,iko->ntko", x, jnp.pad(w, ((0, 0), (0, 1), (0, 0))))
    return y.reshape(x.shape[0], -1, w.shape[2])[:, :-1]


conv_transpose_args = lambda rng: (rng.normal(size=(2, 5, 4)), rng.normal(size=(4, 2, 3)))


def conv_transpose_backward(x, w, dy):
    first, second = dy[:, 0::3], dy[:, 1::3]
    dw = jnp.stack([jnp.einsum("nti,nto->io", x, d) for d in (first, second)], axis=1)
    return first @ w[:, 0].T + second @ w[:, 1].T, dw


WRONG = (
    ByHand(
        "causal convolution one step late",
        "WaveNet ports",
        causal,
        causal_args,
        causal_late,
        "dx is padded by one step too many, so it is shifted in time.",
        ("shifted",),
    ),
    ByHand(
        "strided convolution with one tap",
        "own patch embedding",
        strided,
        strided_args,
        strided_one_tap,
        "Every second entry of dx is left at 0.",
        ("positions skipped", "missing term"),
    ),
)
RIGHT = (
    ByHand("causal convolution", "WaveNet", causal, causal_args, causal_backward),
    ByHand(
        "transposed convolution",
        "textbook",
        conv_transpose,
        conv_transpose_args,
        conv_transpose_backward,
    ),
)
