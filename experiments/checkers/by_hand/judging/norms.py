"""Batch norm and layer norm."""

import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand

EPS = 1e-5


def batch_norm(x, gamma, beta):
    mu, var = x.mean(0), x.var(0)
    return gamma * (x - mu) / jnp.sqrt(var + EPS) + beta


bn_args = lambda rng: (
    rng.normal(size=(8, 5)) * 2 + 1,
    rng.normal(size=5) + 1,
    rng.normal(size=5),
)


def batch_norm_one_line(x, gamma, beta, dy):
    """The simplified formula of assignment 2."""
    n = len(x)
    std = np.sqrt(x.var(0) + EPS)
    xhat = (x - x.mean(0)) / std
    dbeta, dgamma = dy.sum(0), (dy * xhat).sum(0)
    return gamma / (n * std) * (n * dy - dbeta - xhat * dgamma), dgamma, dbeta


def batch_norm_raw_gamma(x, gamma, beta, dy):
    n = len(x)
    std = np.sqrt(x.var(0) + EPS)
    xhat = (x - x.mean(0)) / std
    dxhat = dy * gamma
    dx = (dxhat - dxhat.sum(0) / n - xhat * (dxhat * xhat).sum(0) / n) / std
    return dx, (dy * x).sum(0), dy.sum(0)


def batch_norm_fixed_variance(x, gamma, beta, dy):
    std = np.sqrt(x.var(0) + EPS)
    xhat = (x - x.mean(0)) / std
    dxhat = dy * gamma
    return (dxhat - dxhat.mean(0)) / std, (dy * xhat).sum(0), dy.sum(0)


def batch_norm_stats(x, gamma, beta, running):
    """Channels first; returns the output and the new running statistics."""
    mu, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
    c = lambda a: a[:, None, None]
    y = c(gamma) * (x - c(mu)) / jnp.sqrt(c(var) + EPS) + c(beta)
    return y, {"mean": 0.9 * running["mean"] + 0.1 * mu, "var": 0.9 * running["var"] + 0.1 * var}


def stats_args(rng):
    running = {"mean": rng.normal(size=3), "var": rng.uniform(0.5, 2, size=3)}
    return rng.normal(size=(4, 3, 2, 3)), rng.normal(size=3), rng.normal(size=3), running


def batch_norm_stats_backward(x, gamma, beta, running, dy):
    dy, d = dy
    m, axes = 4 * 2 * 3, (0, 2, 3)
    xc = x - x.mean(axes, keepdims=True)
    inv = 1 / np.sqrt(x.var(axes, keepdims=True) + EPS)
    g = dy * gamma[:, None, None]
    dvar = -0.5 * (g * xc).sum(axes, keepdims=True) * inv**3 + 0.1 * d["var"][:, None, None]
    dmu = -(g * inv).sum(axes, keepdims=True) + 0.1 * d["mean"][:, None, None]
    dx = g * inv + dvar * 2 * xc / m + dmu / m
    drunning = {"mean": 0.9 * d["mean"], "var": 0.9 * d["var"]}
    return dx, (dy * xc * inv).sum(axes), dy.sum(axes), drunning


def layer_norm(x, gamma, beta):
    mu = x.mean(-1, keepdims=True)
    return gamma * (x - mu) / jnp.sqrt(jnp.var(x, -1, keepdims=True) + EPS) + beta


ln_args = lambda rng: (rng.normal(size=(6, 6)), rng.normal(size=6) + 1, rng.normal(size=6))


def layer_norm_batch_axis(x, gamma, beta, dy):
    std = np.sqrt(x.var(-1, keepdims=True) + EPS)
    xhat = (x - x.mean(-1, keepdims=True)) / std
    d = dy * gamma
    dx = (d - d.mean(0) - xhat * (d * xhat).mean(0)) / std
    return dx, (dy * xhat).sum(0), dy.sum(0)


def annotated_norm(x, a, b):
    """The Annotated Transformer: unbiased standard deviation, eps added to it."""
    mean = x.mean(-1, keepdims=True)
    std = x.std(-1, keepdims=True, ddof=1)
    return a * (x - mean) / (std + 1e-3) + b


annotated_args = lambda rng: (rng.normal(size=(2, 3, 4)), rng.normal(size=4), rng.normal(size=4))


def annotated_norm_backward(x, a, b, dy):
    n = x.shape[-1]
    xc = x - x.mean(-1, keepdims=True)
    std = np.sqrt((xc**2).sum(-1, keepdims=True) / (n - 1))
    s = std + 1e-3
    g = dy * a
    dxc = g / s - xc * (g * xc).sum(-1, keepdims=True) / ((n - 1) * std * s**2)
    dx = dxc - dxc.mean(-1, keepdims=True)
    return dx, (dy * xc / s).sum((0, 1)), dy.sum((0, 1))


def annotated_norm_biased(x, a, b, dy):
    n = x.shape[-1]
    xc = x - x.mean(-1, keepdims=True)
    std = np.sqrt((xc**2).sum(-1, keepdims=True) / (n - 1))
    s = std + 1e-3
    g = dy * a
    dxc = g / s - xc * (g * xc).sum(-1, keepdims=True) / (n * std * s**2)
    dx = dxc - dxc.mean(-1, keepdims=True)
    return dx, (dy * xc / s).sum((0, 1)), dy.sum((0, 1))


A2 = "CS231n, assignment 2, batch and layer normalization"

WRONG = (
    ByHand(
        "batch norm gamma from x",
        A2,
        batch_norm,
        bn_args,
        batch_norm_raw_gamma,
        "dgamma multiplies by x in place of the normalized x.",
        ("wrong value",),
    ),
    ByHand(
        "batch norm of fixed variance",
        A2,
        batch_norm,
        bn_args,
        batch_norm_fixed_variance,
        "The path through the variance is missing.",
        ("missing term",),
    ),
    ByHand(
        "layer norm along the batch",
        A2,
        layer_norm,
        ln_args,
        layer_norm_batch_axis,
        "The two means in dx run over the batch in place of the features.",
        ("wrong axis",),
    ),
    ByHand(
        "layer norm with biased variance in dx",
        "The Annotated Transformer",
        annotated_norm,
        annotated_args,
        annotated_norm_biased,
        "The path through the standard deviation divides by n in place of n - 1.",
        ("missing factor", "wrong value"),
        named=False,
    ),
)
RIGHT = (
    ByHand("batch norm in one line", A2, batch_norm, bn_args, batch_norm_one_line),
    ByHand(
        "batch norm with statistics",
        "framework source",
        batch_norm_stats,
        stats_args,
        batch_norm_stats_backward,
    ),
    ByHand(
        "layer norm of the annotated transformer",
        "The Annotated Transformer",
        annotated_norm,
        annotated_args,
        annotated_norm_backward,
    ),
)
