"""Group, root mean square, weight and local response norm."""

import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand

EPS = 1e-5


def group_norm(x, gamma, beta):
    """Channels first, groups of two channels."""
    g = x.reshape(x.shape[0], x.shape[1] // 2, -1)
    g = (g - g.mean(-1, keepdims=True)) / jnp.sqrt(g.var(-1, keepdims=True) + EPS)
    return g.reshape(x.shape) * gamma[:, None, None] + beta[:, None, None]


def gn_args(rng):
    return rng.normal(size=(3, 6, 2, 3)), rng.normal(size=6), rng.normal(size=6)


def group_norm_parts(x, gamma, dy):
    g = x.reshape(3, 3, 12)
    inv = 1 / np.sqrt(g.var(-1, keepdims=True) + EPS)
    xhat = (g - g.mean(-1, keepdims=True)) * inv
    d = (dy * gamma[:, None, None]).reshape(3, 3, 12)
    p = d.sum(-1, keepdims=True)
    q = (d * xhat).sum(-1, keepdims=True)
    return xhat.reshape(x.shape), (inv * (d - (p + xhat * q) / 12)).reshape(x.shape)


def group_norm_backward(x, gamma, beta, dy):
    xhat, dx = group_norm_parts(x, gamma, dy)
    return dx, np.einsum("nchw,nchw->c", dy, xhat), np.einsum("nchw->c", dy)


def group_norm_per_group(x, gamma, beta, dy):
    xhat, dx = group_norm_parts(x, gamma, dy)
    dgamma = (dy * xhat).reshape(3, 3, 2, 2, 3).sum(axis=(0, 2, 3, 4))
    return dx, np.repeat(dgamma, 2), np.einsum("nchw->c", dy)


def rms_norm(x, weight):
    return x / jnp.sqrt(jnp.mean(x**2, -1, keepdims=True) + 1e-6) * weight


rms_args = lambda rng: (rng.normal(size=(4, 3, 8)), rng.normal(size=8) + 1)


def rms_norm_half(x, weight, dy):
    r = 1 / np.sqrt(np.mean(x**2, -1, keepdims=True) + 1e-6)
    g = dy * weight
    dx = r * g - x * r**3 * np.mean(g * x, -1, keepdims=True)
    return dx.astype(np.float16).astype(x.dtype), (dy * x * r).sum((0, 1))


def rms_norm_summed(x, weight, dy):
    r = 1 / np.sqrt(np.mean(x**2, -1, keepdims=True) + 1e-6)
    g = dy * weight
    return r * g - x * r**3 * np.sum(g * x, -1, keepdims=True), (dy * x * r).sum((0, 1))


def rms_norm_llama(x, weight):
    """Normalized in float32, bfloat16 in and out."""
    x, weight = jnp.asarray(x, jnp.float32), jnp.asarray(weight, jnp.float32)
    r = 1 / jnp.sqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6)
    return (x * r * weight).astype(jnp.bfloat16)


def rms_llama_args(rng):
    return (
        np.asarray(rng.normal(size=(5, 8)), jnp.bfloat16),
        np.asarray(rng.normal(size=8) + 1, jnp.bfloat16),
    )


def rms_norm_llama_backward(x, weight, dy):
    x, weight, dy = (np.asarray(a, np.float32) for a in (x, weight, dy))
    r = 1 / np.sqrt(np.mean(x * x, -1, keepdims=True) + np.float32(1e-6))
    xhat, g = x * r, dy * weight
    dx = r * (g - xhat * np.mean(g * xhat, -1, keepdims=True))
    return dx.astype(jnp.bfloat16), (dy * xhat).sum(0).astype(jnp.bfloat16)


def weight_norm(x, v, g):
    """One length per output unit, rows of v."""
    return x @ (v * (g / jnp.linalg.norm(v, axis=1))[:, None]).T


wn_args = lambda rng: (rng.normal(size=(4, 5)), rng.normal(size=(5, 5)), rng.normal(size=5))


def weight_norm_columns(x, v, g, dy):
    length = np.sqrt((v**2).sum(1))
    u = v / length[:, None]
    dw = dy.T @ x
    dg = np.sum(dw * u, axis=1)
    dv = (g / length)[:, None] * (dw - u * np.sum(dw * u, axis=0))
    return dy @ (g[:, None] * u), dv, dg


def weight_norm_backward(x, v, g, dy):
    length = np.sqrt((v**2).sum(1, keepdims=True))
    u = v / length
    dw = dy.T @ x
    dg = np.einsum("oi,oi->o", dw, u)
    return dy @ (u.T * g).T, g[:, None] / length * (dw - dg[:, None] * u), dg


def unit_rows(x):
    """L2 normalization with a floor, some rows are all 0."""
    return x / jnp.sqrt(jnp.maximum(jnp.sum(x**2, -1, keepdims=True), 1e-4))


def unit_args(rng):
    return (rng.normal(size=(6, 4)) * (np.arange(6)[:, None] != rng.integers(0, 6)),)


def unit_rows_backward(x, dy):
    n2 = np.sum(x**2, axis=-1, keepdims=True)
    n = np.sqrt(np.maximum(n2, 1e-4))
    along = np.where(n2 > 1e-4, np.sum(x * dy, axis=-1, keepdims=True) / n**2, 0)
    return ((dy - x * along) / n,)


def local_response(x):
    """AlexNet, channels last, three neighbouring channels."""
    p = jnp.pad(x**2, ((0, 0), (1, 1)))
    return x / (2 + 0.5 * (p[:, :-2] + p[:, 1:-1] + p[:, 2:])) ** 0.75


def local_response_backward(x, dy):
    band = np.eye(7) + np.eye(7, k=1) + np.eye(7, k=-1)
    s = 2 + 0.5 * x**2 @ band
    return (dy * s**-0.75 - 0.75 * x * ((dy * x * s**-1.75) @ band),)


WRONG = (
    ByHand(
        "group norm gamma per group",
        "GroupNorm paper code",
        group_norm,
        gn_args,
        group_norm_per_group,
        "dgamma is summed over the channels of a group too.",
        ("reduced too far",),
    ),
    ByHand(
        "rms norm rounded to half",
        "llama kernels",
        rms_norm,
        rms_args,
        rms_norm_half,
        "dx is rounded to float16.",
        ("short dtype",),
    ),
    ByHand(
        "rms norm with a sum",
        "llama kernels",
        rms_norm,
        rms_args,
        rms_norm_summed,
        "The path through the root mean square sums where it must average.",
        ("sum for mean", "missing factor"),
    ),
    ByHand(
        "weight norm along columns",
        "Weight Normalization, Salimans and Kingma",
        weight_norm,
        wn_args,
        weight_norm_columns,
        "The projection in dv is summed over output units in place of inputs.",
        ("wrong axis",),
    ),
)
RIGHT = (
    ByHand("group norm", "framework source", group_norm, gn_args, group_norm_backward),
    ByHand("weight norm", "Weight Normalization", weight_norm, wn_args, weight_norm_backward),
    ByHand("unit rows with floor", "F.normalize", unit_rows, unit_args, unit_rows_backward),
    ByHand(
        "rms norm of bfloat16",
        "llama",
        rms_norm_llama,
        rms_llama_args,
        rms_norm_llama_backward,
    ),
    ByHand(
        "local response norm",
        "AlexNet",
        local_response,
        lambda rng: (rng.normal(size=(4, 7)),),
        local_response_backward,
    ),
)
