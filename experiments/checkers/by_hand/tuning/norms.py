"""Normalization layers and variances."""

import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def normals(*shapes):
    return lambda rng: tuple(rng.normal(size=shape) for shape in shapes)


def batch_norm(x, gamma, beta):
    return gamma * (x - x.mean(0)) / jnp.sqrt(x.var(0) + 1e-5) + beta


def batch_norm_x_for_xhat(x, gamma, beta, dy):
    n = len(x)
    s = np.sqrt(x.var(0) + 1e-5)
    xhat = (x - x.mean(0)) / s
    g = dy * gamma
    dx = (n * g - g.sum(0) - xhat * (g * xhat).sum(0)) / (n * s)
    return dx, (dy * x).sum(0), dy.sum(0)


def images(rng):
    return rng.normal(size=(2, 4, 3, 3)) + 0.5, rng.normal(size=4), rng.normal(size=4)


def group_norm(x, gamma, beta):
    n, c, h, w = x.shape
    z = x.reshape(n, 2, -1)
    z = (z - z.mean(2, keepdims=True)) / jnp.sqrt(z.var(2, keepdims=True) + 1e-3)
    return z.reshape(n, c, h, w) * gamma[:, None, None] + beta[:, None, None]


def group_norm_x_for_xhat(x, gamma, beta, dy):
    z = x.reshape(len(x), 2, -1)
    s = np.sqrt(z.var(2, keepdims=True) + 1e-3)
    zhat = (z - z.mean(2, keepdims=True)) / s
    g = (np.asarray(dy) * gamma[:, None, None]).reshape(z.shape)
    dz = (g - g.mean(2, keepdims=True) - zhat * (g * zhat).mean(2, keepdims=True)) / s
    dgamma = np.einsum("nchw,nchw->c", dy, x)
    return dz.reshape(x.shape), dgamma, np.einsum("nchw->c", dy)


def layer_norm_two_axes(x, gamma):
    mu = jnp.mean(x, axis=(1, 2), keepdims=True)
    var = jnp.mean((x - mu) ** 2, axis=(1, 2), keepdims=True)
    return gamma * (x - mu) / jnp.sqrt(var + 1e-6)


def layer_norm_two_axes_no_projection(x, gamma, dy):
    mu, var = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
    xhat = (x - mu) / np.sqrt(var + 1e-6)
    g = gamma * dy
    dx = (g - g.mean((1, 2), keepdims=True)) / np.sqrt(var + 1e-6)
    return dx, (dy * xhat).sum(0)


def instance_norm(x):
    """Channels last, over height and width."""
    mu = x.mean((1, 2), keepdims=True)
    return (x - mu) / (x.std((1, 2), keepdims=True) + 1e-2)


def instance_norm_no_mean(x, dy):
    m = x.shape[1] * x.shape[2]
    d = x - x.mean((1, 2), keepdims=True)
    s = x.std((1, 2), keepdims=True)
    ds = -(dy * d).sum((1, 2), keepdims=True) / (s + 1e-2) ** 2
    return (dy / (s + 1e-2) + ds * d / (m * s),)


def instance_norm_backward(x, dy):
    m = x.shape[1] * x.shape[2]
    d = x - x.mean((1, 2), keepdims=True)
    s = x.std((1, 2), keepdims=True)
    ds = -(dy * d).sum((1, 2), keepdims=True) / (s + 1e-2) ** 2
    dd = dy / (s + 1e-2) + ds * d / (m * s)
    return (dd - dd.mean((1, 2), keepdims=True),)


def layer_norm(x, p):
    z = (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return z * p["scale"] + p["bias"]


def layer_norm_args(rng):
    return rng.normal(size=(3, 2, 5)), {"scale": rng.normal(size=5), "bias": rng.normal(size=5)}


def layer_norm_sign(x, p, dy):
    r = 1 / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    z = (x - x.mean(-1, keepdims=True)) * r
    g = dy * p["scale"]
    dx = r * (g - g.mean(-1, keepdims=True) + z * (g * z).mean(-1, keepdims=True))
    return dx, {"scale": (dy * z).sum((0, 1)), "bias": dy.sum((0, 1))}


def gaussian_nll(x, mu, logvar):
    return 0.5 * jnp.sum(logvar + (x - mu) ** 2 * jnp.exp(-logvar))


def gaussian_nll_sign(x, mu, logvar, dy):
    w = (x - mu) * jnp.exp(-logvar)
    return dy * w, -dy * w, 0.5 * dy * (1 + (x - mu) * w)


def rms_norm(x, gain, eps):
    return gain * x / jnp.sqrt(jnp.mean(x * x, axis=-1, keepdims=True) + eps**2)


def rms_norm_args(rng):
    return rng.normal(size=(4, 5)), np.asarray(rng.normal()), np.asarray(0.1 + rng.random())


def rms_norm_backward(x, gain, eps, dy):
    r = jnp.sqrt(jnp.mean(x * x, axis=-1, keepdims=True) + eps**2)
    xdy = jnp.sum(x * dy, axis=-1, keepdims=True)
    dx = gain * (dy / r - x * xdy / (x.shape[-1] * r**3))
    return dx, jnp.sum(xdy / r), -gain * eps * jnp.sum(xdy / r**3)


def weight_norm(x, v, g):
    return x @ (v * (g / jnp.linalg.norm(v, axis=0)))


def weight_norm_backward(x, v, g, dy):
    r = np.linalg.norm(v, axis=0)
    dw = x.T @ dy
    dg = (dw * v).sum(0) / r
    return dy @ (v * g / r).T, g / r * (dw - v * dg / r), dg


def moments(x):
    return x.mean(1), x.var(1, ddof=1)


def moments_backward(x, dy):
    dm, dv = dy
    n = x.shape[1]
    return (dm[:, None] / n + 2 * dv[:, None] * (x - x.mean(1, keepdims=True)) / (n - 1),)


WRONG = (
    ByHand(
        "batch norm dgamma with x",
        "Stanford CS231n, assignment 2",
        batch_norm,
        normals((6, 4), (4,), (4,)),
        batch_norm_x_for_xhat,
        "dgamma uses x instead of its normalized value",
        ("wrong value",),
    ),
    ByHand(
        "group norm dgamma with x",
        "Wu and He 2018, group normalization",
        group_norm,
        images,
        group_norm_x_for_xhat,
        "dgamma uses x instead of its normalized value",
        ("wrong value",),
    ),
    ByHand(
        "layer norm over two axes without projection",
        "homework",
        layer_norm_two_axes,
        normals((3, 4, 4), (4, 4)),
        layer_norm_two_axes_no_projection,
        "the term of the variance is missing in dx",
        ("missing term",),
    ),
    ByHand(
        "instance norm without mean",
        "Ulyanov et al. 2016",
        instance_norm,
        normals((2, 3, 4, 2)),
        instance_norm_no_mean,
        "the term of the mean is missing in dx",
        ("missing term",),
    ),
    ByHand(
        "layer norm variance sign",
        "homework",
        layer_norm,
        layer_norm_args,
        layer_norm_sign,
        "the term of the variance has the other sign",
        ("missing term",),
    ),
    ByHand(
        "gaussian nll variance sign",
        "Nix and Weigend 1994",
        gaussian_nll,
        normals((4, 3), (4, 3), (4, 3)),
        gaussian_nll_sign,
        "the squared error is added instead of subtracted in the gradient of logvar",
        ("missing term",),
    ),
)

RIGHT = (
    ByHand(
        "rms norm, scalar gain and eps", "0-d leaves", rms_norm, rms_norm_args, rms_norm_backward
    ),
    ByHand(
        "weight norm columns",
        "Salimans and Kingma 2016",
        weight_norm,
        normals((3, 4), (4, 5), (5,)),
        weight_norm_backward,
    ),
    ByHand("mean and unbiased variance", "two outputs", moments, normals((3, 6)), moments_backward),
    ByHand(
        "instance norm by its steps",
        "chain rule by hand",
        instance_norm,
        normals((2, 3, 4, 2)),
        instance_norm_backward,
    ),
)
