"""Pooling, padding, upsampling and squeeze-and-excitation."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from experiments.checkers.by_hand.case import ByHand


def max_pool(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


def max_pool_args(rng):
    return (np.maximum(rng.integers(-3, 4, size=(2, 2, 6, 4)), 0).astype(float),)


def max_pool_equal(x, dy):
    dx = np.zeros_like(x)
    dy = np.asarray(dy)
    for i in range(3):
        for j in range(2):
            part = x[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
            mask = part == part.max(axis=(2, 3), keepdims=True)
            dx[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = mask * dy[:, :, i : i + 1, j : j + 1]
    return (dx,)


def max_pool_first(x, dy):
    win = x.reshape(2, 2, 3, 2, 2, 2).swapaxes(3, 4).reshape(2, 2, 3, 2, 4)
    dx = (np.arange(4) == win.argmax(-1)[..., None]) * np.asarray(dy)[..., None]
    return (dx.reshape(2, 2, 3, 2, 2, 2).swapaxes(3, 4).reshape(x.shape),)


def avg_pool(x):
    """Window 3, stride 1, padding 1, the padding is not counted."""
    add = lambda v: lax.reduce_window(v, 0.0, lax.add, (3, 3), (1, 1), "SAME")
    return jax.vmap(add)(x) / add(jnp.ones(x.shape[1:], x.dtype))


def avg_pool_nine(x, dy):
    p = jnp.pad(dy, ((0, 0), (1, 1), (1, 1))) / 9
    H, W = x.shape[1:]
    return (sum(p[:, i : i + H, j : j + W] for i in range(3) for j in range(3)),)


def avg_pool_counted(x, dy):
    H, W = x.shape[1:]
    rows, cols = np.full(H, 3.0), np.full(W, 3.0)
    rows[[0, -1]] = cols[[0, -1]] = 2
    p = np.pad(dy / np.outer(rows, cols), ((0, 0), (1, 1), (1, 1)))
    return (np.lib.stride_tricks.sliding_window_view(p, (3, 3), axis=(1, 2)).sum((-1, -2)),)


def squeeze_excite(x, w1, w2):
    s = x.mean(axis=(1, 2))
    e = jax.nn.sigmoid(jnp.maximum(s @ w1, 0) @ w2)
    return x * e[:, None, None, :]


def se_args(rng):
    w1 = np.abs(rng.normal(size=(6, 3)))
    return rng.normal(size=(2, 3, 4, 6)) + 0.7, w1, rng.normal(size=(3, 6))


def se_parts(x, w1, w2, dy):
    s = x.mean(axis=(1, 2))
    h = np.maximum(s @ w1, 0)
    e = 1 / (1 + np.exp(-(h @ w2)))
    de = np.einsum("nhwc,nhwc->nc", dy, x) * e * (1 - e)
    dh = de @ w2.T * (h > 0)
    return e, dh @ w1.T, s.T @ dh, h.T @ de


def se_backward(x, w1, w2, dy):
    e, ds, dw1, dw2 = se_parts(x, w1, w2, dy)
    return dy * e[:, None, None] + ds[:, None, None] / 12, dw1, dw2


def se_unscaled_mean(x, w1, w2, dy):
    e, ds, dw1, dw2 = se_parts(x, w1, w2, dy)
    return dy * e[:, None, None, :] + ds[:, None, None, :], dw1, dw2


def reflect(x):
    return jnp.pad(x, ((0, 0), (2, 2)), mode="reflect")


def reflect_cropped(x, dy):
    return (dy[:, 2:-2],)


def upsample(x):
    return jnp.repeat(jnp.repeat(x, 2, axis=-2), 2, axis=-1)


def upsample_mean(x, dy):
    n, h, w = x.shape
    return (dy.reshape(n, h, 2, w, 2).mean(axis=(2, 4)),)


IMG = lambda *shape: lambda rng: (rng.normal(size=shape),)

A2 = "CS231n, assignment 2"

WRONG = (
    ByHand(
        "max pool with all equal entries",
        A2,
        max_pool,
        max_pool_args,
        max_pool_equal,
        "All entries that equal the maximum receive the whole gradient.",
        ("ties",),
    ),
    ByHand(
        "average pool divides by nine at the border",
        "count_include_pad",
        avg_pool,
        IMG(3, 5, 6),
        avg_pool_nine,
        "The gradient divides by the window size also where the window is cut by the border.",
        ("border dropped", "missing factor", "wrong value"),
    ),
    ByHand(
        "squeeze and excitation with a sum",
        "SENet",
        squeeze_excite,
        se_args,
        se_unscaled_mean,
        "The path through the spatial mean is not divided by the number of positions.",
        ("sum for mean", "missing factor"),
    ),
    ByHand(
        "reflection padding only cropped",
        "framework issue on ReflectionPad",
        reflect,
        IMG(4, 7),
        reflect_cropped,
        "The reflected border is cropped and not added.",
        ("border dropped", "missing term"),
    ),
    ByHand(
        "nearest upsampling with a mean",
        "textbook",
        upsample,
        IMG(3, 4, 5),
        upsample_mean,
        "The four copies are averaged in place of summed.",
        ("mean for sum", "constant factor"),
    ),
)
RIGHT = (
    ByHand("max pool at first maximum", A2, max_pool, max_pool_args, max_pool_first),
    ByHand("average pool counted", "textbook", avg_pool, IMG(3, 5, 6), avg_pool_counted),
    ByHand("squeeze and excitation", "SENet", squeeze_excite, se_args, se_backward),
)
