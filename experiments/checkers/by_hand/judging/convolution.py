"""Convolution of images, by loops and by im2col."""

import jax.numpy as jnp
import numpy as np
from jax import lax

from experiments.checkers.by_hand.case import ByHand

NCHW = ("NCHW", "OIHW", "NCHW")

NHWC = ("NHWC", "HWIO", "NHWC")


def conv_naive(x, w, b):
    """CS231n: stride 1 and padding 1."""
    y = lax.conv_general_dilated(x, w, (1, 1), [(1, 1), (1, 1)], dimension_numbers=NCHW)
    return y + b[:, None, None]


def conv_args(rng):
    return rng.normal(size=(2, 3, 5, 4)), rng.normal(size=(4, 3, 3, 3)), rng.normal(size=4)


def conv_loops(x, w, b, dy):
    dy = np.asarray(dy)
    xp = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    N, F, H, W = dy.shape
    for n in range(N):
        for f in range(F):
            for i in range(H):
                for j in range(W):
                    dw[f] += xp[n, :, i : i + 3, j : j + 3] * dy[n, f, i, j]
                    dxp[n, :, i : i + 3, j : j + 3] += w[f] * dy[n, f, i, j]
    return dxp[:, :, 1:-1, 1:-1], dw, dy.sum(axis=(0, 2, 3))


def conv_loops_padded(x, w, b, dy):
    dy = np.asarray(dy)
    xp = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for i in range(dy.shape[2]):
        for j in range(dy.shape[3]):
            d = dy[:, :, i, j]
            dw += np.einsum("nf,nchw->fchw", d, xp[:, :, i : i + 3, j : j + 3])
            dxp[:, :, i : i + 3, j : j + 3] += np.einsum("nf,fchw->nchw", d, w)
    return dxp, dw, dy.sum(axis=(0, 2, 3))


def conv_unflipped(x, w, b, dy):
    pad = [(1, 1), (1, 1)]
    dx = lax.conv_general_dilated(dy, w.transpose(1, 0, 2, 3), (1, 1), pad, dimension_numbers=NCHW)
    xp = jnp.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    H, W = x.shape[2:]
    dw = jnp.stack(
        [
            jnp.einsum("nfhw,nchw->fc", dy, xp[:, :, i : i + H, j : j + W])
            for i in range(3)
            for j in range(3)
        ],
        axis=-1,
    )
    return dx, dw.reshape(w.shape), dy.sum((0, 2, 3))


def patches_of(x, k):
    """(n, h, w, c) -> (n, h - k + 1, w - k + 1, k, k, c)."""
    v = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(1, 2))
    return v.transpose(0, 1, 2, 4, 5, 3)


def conv_last(x, w):
    return lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=NHWC)


conv_last_args = lambda rng: (rng.normal(size=(2, 5, 5, 3)), rng.normal(size=(3, 3, 3, 4)))


def conv_last_dx(x, w, dy):
    dx = np.zeros_like(x)
    for i in range(3):
        for j in range(3):
            dx[:, i : i + 3, j : j + 3] += dy @ w[i, j].T
    return dx


def conv_last_im2col(x, w, dy):
    cols = patches_of(x, 3).reshape(2 * 9, 27)
    dw = cols.T @ np.asarray(dy).reshape(2 * 9, 4)
    return conv_last_dx(x, w, dy), dw.reshape(3, 3, 3, 4)


def conv_last_wrong_unfold(x, w, dy):
    cols = patches_of(x, 3).transpose(0, 1, 2, 5, 3, 4).reshape(2 * 9, 27)
    dw = cols.T @ np.asarray(dy).reshape(2 * 9, 4)
    return conv_last_dx(x, w, dy), dw.reshape(3, 3, 3, 4)


def grouped(x, w):
    """Two groups, kernel 1: x (n, 2 g, h, w), w (out, g, 1, 1)."""
    return lax.conv_general_dilated(
        x, w, (1, 1), "VALID", dimension_numbers=NCHW, feature_group_count=2
    )


grouped_args = lambda rng: (rng.normal(size=(2, 4, 3, 5)), rng.normal(size=(6, 2, 1, 1)))


def grouped_interleaved(x, w, dy):
    xg = x.reshape(2, 2, 2, 3, 5)
    dg = np.asarray(dy).reshape(2, 2, 3, 3, 5)
    wg = w.reshape(2, 3, 2)
    dw = np.einsum("ngihw,ngohw->goi", xg, dg).reshape(w.shape)
    dx = np.einsum("ngohw,goi->nighw", dg, wg)
    return dx.reshape(x.shape), dw


def depthwise(x, w, b):
    y = lax.conv_general_dilated(
        x, w, (2, 1), "SAME", dimension_numbers=NHWC, feature_group_count=x.shape[-1]
    )
    return y + b


def depthwise_args(rng):
    return rng.normal(size=(2, 6, 5, 3)), rng.normal(size=(3, 3, 1, 3)), rng.normal(size=3)


def depthwise_backward(x, w, b, dy):
    """SAME with stride 2 on six rows pads one row below only."""
    xp = np.pad(x, ((0, 0), (0, 1), (1, 1), (0, 0)))
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for i in range(3):
        for j in range(3):
            at = np.s_[:, i : i + 5 : 2, j : j + 5]
            dxp[at] += dy * w[i, j, 0]
            dw[i, j, 0] = np.sum(xp[at] * dy, axis=(0, 1, 2))
    return dxp[:, :-1, 1:-1], dw, dy.sum(axis=(0, 1, 2))


A2 = "CS231n, assignment 2"

WRONG = (
    ByHand(
        "conv gradient with its padding",
        A2,
        conv_naive,
        conv_args,
        conv_loops_padded,
        "dx keeps the rows and columns of the padding.",
        ("shape",),
    ),
    ByHand(
        "conv gradient without flipped kernel",
        "questions on backpropagation through convolution",
        conv_naive,
        conv_args,
        conv_unflipped,
        "dx correlates dy with the kernel in place of the flipped kernel.",
        ("flipped",),
    ),
    ByHand(
        "im2col columns in another order",
        "im2col ports between layouts",
        conv_last,
        conv_last_args,
        conv_last_wrong_unfold,
        "The columns are ordered (c, kh, kw) but dw is reshaped as (kh, kw, c).",
        ("transposed", "channels exchanged"),
    ),
    ByHand(
        "grouped convolution interleaved",
        "ShuffleNet ports",
        grouped,
        grouped_args,
        grouped_interleaved,
        "The channels of dx are joined as (within group, group).",
        ("channels exchanged", "transposed"),
    ),
)
RIGHT = (
    ByHand("conv by loops", A2, conv_naive, conv_args, conv_loops),
    ByHand("conv by im2col", A2, conv_last, conv_last_args, conv_last_im2col),
    ByHand("depthwise with stride", "MobileNet", depthwise, depthwise_args, depthwise_backward),
)
