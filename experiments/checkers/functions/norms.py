"""Normalizations over several axes, of activations and of weights."""

import jax
import jax.numpy as jnp
from jax import lax

from experiments.checkers.functions.function import Function


def batch_norm(x, gamma, beta):
    """Over the batch and both space axes, channels second."""
    axes = (0, 2, 3)
    mean = x.mean(axes, keepdims=True)
    var = x.var(axes, keepdims=True)
    shape = (1, -1, 1, 1)
    return gamma.reshape(shape) * (x - mean) * lax.rsqrt(var + 1e-5) + beta.reshape(shape)


def batch_norm_train(x, scale, running_mean, running_var, momentum=0.9):
    """The normalized batch and the running statistics after it."""
    mean, var = x.mean(0), x.var(0)
    new_mean = momentum * running_mean + (1 - momentum) * mean
    new_var = momentum * running_var + (1 - momentum) * var
    return scale * (x - mean) / jnp.sqrt(var + 1e-3), new_mean, new_var


def layer_norm(x, gamma, beta, w):
    """Pre-norm residual: x + relu(LN(x) W)."""
    centred = x - x.mean(-1, keepdims=True)
    var = jnp.mean(centred**2, axis=-1, keepdims=True)
    y = centred / jnp.sqrt(var + 1e-6) * gamma + beta
    return x + jax.nn.relu(y @ w)


def group_norm(x, gamma, beta, groups=2):
    """Groups of channels, channels last."""
    b, h, w, c = x.shape
    g = x.reshape(b, h, w, groups, c // groups)
    mean = jnp.mean(g, axis=(1, 2, 4), keepdims=True)
    var = jnp.var(g, axis=(1, 2, 4), keepdims=True)
    return ((g - mean) / jnp.sqrt(var + 1e-5)).reshape(x.shape) * gamma + beta


def instance_norm(x, style):
    """Adaptive: per sample and channel over time, then the style's mean and scale."""
    mean = x.mean(axis=1, keepdims=True)
    std = x.std(axis=1, keepdims=True) + 1e-4
    scale, shift = jnp.split(style[:, None, :], 2, axis=-1)
    return (x - mean) / std * (1 + scale) + shift


def rms_norm(x, g):
    """x / sqrt(mean(x^2) + eps) * g over the first axis."""
    return g[:, None] * x * lax.rsqrt(jnp.mean(jnp.square(x), axis=0) + 1e-6)


def weight_norm(x, v, g, b):
    """Each output column has direction v and length g."""
    w = g * v / jnp.linalg.norm(v, axis=0)
    return jnp.tanh(x @ w + b)


def spectral_step(x, w, u):
    """One power step estimates the top singular value, which divides the weights."""
    v = w.T @ u
    v = v / jnp.linalg.norm(v)
    wv = w @ v
    sigma = jnp.linalg.norm(wv)
    return x @ (w / sigma).T, wv / sigma


def whitening(x, w):
    """Decorrelates the columns by the Cholesky factor of their covariance."""
    x = x - x.mean(0)
    cov = x.T @ x / x.shape[0] + 0.1 * jnp.eye(x.shape[1], dtype=x.dtype)
    factor = jnp.linalg.cholesky(cov)
    return jax.scipy.linalg.solve_triangular(factor, x.T, lower=True).T @ w


def masked_norm(x, lengths, gain):
    """Statistics over the valid steps only; the padding comes out as zero."""
    mask = jnp.arange(x.shape[1])[None, :, None] < lengths[:, None, None]
    mean = jnp.mean(x, axis=1, keepdims=True, where=mask)
    var = jnp.mean((x - mean) ** 2, axis=1, keepdims=True, where=mask)
    return jnp.where(mask, gain * (x - mean) / jnp.sqrt(var + 0.01), 0)


def sinkhorn(logits):
    """Four rounds of row and column normalization in log space."""
    for _ in range(4):
        logits = logits - jax.nn.logsumexp(logits, axis=1, keepdims=True)
        logits = logits - jax.nn.logsumexp(logits, axis=0, keepdims=True)
    return jnp.exp(logits)


FUNCTIONS = (
    Function(
        "batch_norm",
        batch_norm,
        lambda rng: (
            rng.normal(size=(2, 5, 3, 4)),
            rng.normal(size=5),
            rng.normal(size=5),
        ),
    ),
    Function(
        "batch_norm_train",
        batch_norm_train,
        lambda rng: (
            rng.normal(1, 2, size=(8, 3)),
            rng.normal(size=3),
            rng.normal(size=3),
            rng.uniform(0.5, 2, size=3),
        ),
    ),
    Function(
        "layer_norm",
        layer_norm,
        lambda rng: (
            rng.normal(size=(5, 5)),
            rng.normal(size=5),
            rng.normal(size=5),
            rng.normal(size=(5, 5)),
        ),
    ),
    Function(
        "group_norm",
        group_norm,
        lambda rng: (
            rng.normal(size=(2, 3, 5, 6)),
            rng.normal(size=6),
            rng.normal(size=6),
        ),
    ),
    Function(
        "instance_norm",
        instance_norm,
        lambda rng: (rng.normal(size=(3, 6, 4)), rng.normal(size=(3, 8))),
    ),
    Function("rms_norm", rms_norm, lambda rng: (rng.normal(size=(4, 7)), rng.normal(size=4))),
    Function(
        "weight_norm",
        weight_norm,
        lambda rng: (
            rng.normal(size=(6, 4)),
            rng.normal(size=(4, 3)),
            rng.uniform(0.5, 2, size=3),
            rng.normal(size=3),
        ),
    ),
    Function(
        "spectral_step",
        spectral_step,
        lambda rng: (rng.normal(size=(4, 3)), rng.normal(size=(5, 3)), rng.normal(size=5)),
    ),
    Function(
        "whitening",
        whitening,
        lambda rng: (rng.normal(size=(9, 3)), rng.normal(size=(3, 4))),
    ),
    Function(
        "masked_norm",
        masked_norm,
        lambda rng: (
            rng.normal(size=(3, 7, 2)),
            rng.integers(2, 8, size=3),
            rng.normal(size=2),
        ),
    ),
    Function("sinkhorn", sinkhorn, lambda rng: (rng.normal(size=(5, 5)),)),
)
