"""Mutants of normalization: missing terms of mean and variance, missing factors, wrong sums."""

from functools import partial

import jax.numpy as jnp
import numpy as np

from experiments.checkers.build import correct_backward, one_sum, problem
from fcnn import (
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    min_max_scale,
    rms_norm,
    weight_standardization,
)

of = partial(problem, "normalization")
no_mean = partial(of, "missing mean term")
no_variance = partial(of, "missing variance term")
product = partial(of, "missing factor")
mean = partial(of, "mean for sum")
unreduced = partial(of, "not reduced")
too_far = partial(of, "reduced too far")
exchanged = partial(of, "arguments exchanged")
entry = partial(of, "single entry")

ROWS = ((7, 5), (5,), (5,))
IMAGES = ((3, 4, 7, 5), (5,), (5,))
GROUPS = ((3, 4, 7, 6), (6,), (6,))
STATE = (*IMAGES, (5,), lambda rng: rng.uniform(0.5, 2, 5))
KERNEL = ((3, 4, 5, 6),)
MILLION = ((1000, 1000), (1000,), (1000,))
X = ((7, 5),)

grouped = partial(group_norm, groups=3)
training = partial(batch_norm, train=True, momentum=0.7)
later = partial(batch_norm, train=False)
centred = lambda x: x - x.mean(-1, keepdims=True)
unit = lambda x: x / jnp.sqrt((x * x).sum(-1, keepdims=True))
variance = lambda x: x.var(-1)


def batched(x, scale, bias):
    """The output of batch_norm, without its running statistics."""
    return batch_norm(x, scale, bias, jnp.zeros_like(bias), jnp.ones_like(bias), train=True)[0]


def row(scale, x):
    return scale.reshape((1,) * (x.ndim - 1) + (-1,))


def statistics(x, pooled, eps=1e-5):
    """z = (x - mean) r, and r = 1 / std."""
    d = x - x.mean(pooled, keepdims=True)
    r = 1 / jnp.sqrt((d * d).mean(pooled, keepdims=True) + eps)
    return d * r, r


def without_mean(*pooled):
    def dx(x, scale, dy):
        (z, r), dz = statistics(x, pooled), row(scale, x) * dy
        return r * (dz - z * (dz * z).mean(pooled, keepdims=True))

    return dx


def without_variance(*pooled):
    def dx(x, scale, dy):
        (_, r), dz = statistics(x, pooled), row(scale, x) * dy
        return r * (dz - dz.mean(pooled, keepdims=True))

    return dx


def of_groups(dx):
    """dx of group_norm: `dx` of x, whose channels are split into 3 groups of 2 channels."""
    view = lambda a: a.reshape(*a.shape[:-1], 3, 2)

    def of_all(x, scale, dy):
        return dx(view(x), jnp.ones_like(scale[:2]), view(row(scale, x) * dy)).reshape(x.shape)

    return of_all


def of_kernel(dx):
    return lambda w, dy: dx(w, jnp.ones(w.shape[-1], w.dtype), dy)


def without_slope(x, scale, dy):
    """dx of rms_norm with r treated as a constant."""
    return row(scale, x) * dy / jnp.sqrt((x * x).mean(-1, keepdims=True) + 1e-6)


def unscaled(x, scale, bias, dy):
    return correct_backward(layer_norm)(x, jnp.ones_like(scale), bias, dy)[0]


def z_from_y(y, bias, scale, dy):
    """dscale, with z computed from y as (y - bias) / scale."""
    return (dy * (y - row(bias, y)) / row(scale, y)).sum(0)


z_of = lambda x, *pooled: statistics(x, pooled)[0]
r_of = lambda x, *pooled: statistics(x, pooled)[1]
one_0 = lambda rng: np.array([1.5, -0.3, 0, 0.7, 2])

MUTANTS = (
    no_mean("layer_norm dx: without mean(dz)", layer_norm, ROWS, dx=without_mean(-1)),
    no_mean("batch_norm dx: without dm", batched, ROWS, dx=without_mean(0)),
    no_mean("batch_norm dx, images: without dm", batched, IMAGES, dx=without_mean(0, 1, 2)),
    no_mean("instance_norm dx: without mean(dz)", instance_norm, IMAGES, dx=without_mean(1, 2)),
    no_mean(
        "group_norm dx: without mean(dz)", grouped, GROUPS, dx=of_groups(without_mean(1, 2, 4))
    ),
    no_mean(
        "weight_standardization dw: without mean(dy)",
        weight_standardization,
        KERNEL,
        dw=of_kernel(without_mean(0, 1, 2)),
    ),
    no_mean("centred: dy", centred, X, dx=lambda dy: dy),
    no_mean("variance: 2 x / n", variance, X, dx=lambda x, dy: 2 / x.shape[1] * x * dy[:, None]),
    no_variance("layer_norm dx: without mean(dz z)", layer_norm, ROWS, dx=without_variance(-1)),
    no_variance("batch_norm dx, images: without dv", batched, IMAGES, dx=without_variance(0, 1, 2)),
    no_variance(
        "instance_norm dx: without mean(dz z)", instance_norm, IMAGES, dx=without_variance(1, 2)
    ),
    no_variance("rms_norm dx: dz r", rms_norm, ROWS[:2], dx=without_slope),
    no_variance(
        "weight_standardization dw: without mean(dy y)",
        weight_standardization,
        KERNEL,
        dw=of_kernel(without_variance(0, 1, 2)),
    ),
    no_variance(
        "unit: dy / |x|", unit, X, dx=lambda x, dy: dy / jnp.sqrt((x * x).sum(-1, keepdims=True))
    ),
    product("layer_norm dx: scale forgotten", layer_norm, ROWS, dx=unscaled),
    product("layer_norm dx: r forgotten", layer_norm, ROWS, dx=lambda g, x: g / r_of(x, -1)),
    product(
        "batch_norm dx, later: scale forgotten", later, STATE, dx=lambda g, scale: g / row(scale, g)
    ),
    product("layer_norm dscale: z forgotten", layer_norm, ROWS, dscale=lambda dy: dy.sum(0)),
    unreduced("layer_norm dscale: dy z", layer_norm, ROWS, dscale=lambda x, dy: dy * z_of(x, -1)),
    unreduced(
        "rms_norm dscale: over examples alone",
        rms_norm,
        IMAGES[:2],
        dscale=lambda scale, y, dy: (dy * y / row(scale, y)).sum(0),
    ),
    unreduced("batch_norm dbias: over examples alone", batched, IMAGES, dbias=lambda dy: dy.sum(0)),
    mean("batch_norm dbias: averaged", batched, IMAGES, dbias=lambda dy: dy.mean((0, 1, 2))),
    too_far("layer_norm dbias: over features too", layer_norm, ROWS, dbias=one_sum),
    too_far("group_norm dscale: over channels too", grouped, GROUPS, dscale=one_sum),
    exchanged(
        "batch_norm: dscale for dbias",
        batched,
        ROWS,
        dscale=lambda dbias: dbias,
        dbias=lambda dscale: dscale,
    ),
    exchanged(
        "batch_norm: dmean for dvar",
        training,
        STATE,
        dmean=lambda dvar: dvar,
        dvar=lambda dmean: dmean,
    ),
    of(
        "constant factor",
        "batch_norm dmean: 1 - momentum",
        training,
        STATE,
        dmean=lambda dy: 0.3 * dy[1],
    ),
    of(
        "constant factor",
        "min_max_scale dx: range of to",
        partial(min_max_scale, to=(-1.0, 2.0)),
        X,
        dx=lambda g: g / 3,
    ),
    of(
        "not finite",
        "layer_norm dscale: z from y, 0/0",
        layer_norm,
        (X[0], one_0, (5,)),
        dscale=z_from_y,
    ),
    of("stopped", "layer_norm dscale: none", layer_norm, ROWS, dscale=None),
    entry("layer_norm dx: one 0 of 10⁶", layer_norm, MILLION, dx=lambda g: g.at[31, 415].set(0)),
    entry("batch_norm dscale: the last", batched, IMAGES, dscale=lambda g: g.at[-1].multiply(1.1)),
)
