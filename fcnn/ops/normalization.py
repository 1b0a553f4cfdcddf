"""Normalization: subtract a mean, divide by a standard deviation, then scale and shift.

With m and v the mean and the (biased, two-pass) variance of the N entries that are pooled together,

    r = 1 / sqrt(v + eps)      z = (x - m) r      y = scale z + bias

Each entry moves its own z and, through m and v, all the others:

    dz = scale dy
    dx = r (dz - mean(dz) - z mean(dz z))
    dscale = sum dy z          dbias = sum dy

with every mean over the pooled entries, every sum over all that share a scale. Saved are z, r and
scale. Layer normalization pools the last axis of each example; batch normalization pools everything
but it.

Units:  x's own in, plain numbers out, then those of scale and bias.
Raises: ValueError if shapes disagree, eps <= 0, or momentum lies outside [0, 1]; TypeError for
        integers.
Cost:   about 8 operations per entry forward, 10 back.
"""

import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from fcnn.ops.op import Case, ints, operator, refused
from fcnn.ops.product import wide
from fcnn.ops.refusal import require, require_floats, require_numbers, require_rank

C = Float[Array, " c"]


@operator()
def layer_norm(
    x: Float[Array, "*n c"], scale: C, bias: C, *, eps: float = 1e-5
) -> Float[Array, "*n c"]:
    """Normalize each example over its features, the last axis.

    Shapes: any number of axes before the last.
    Source: Ba, Kiros & Hinton, arXiv:1607.06450.
    """
    return layer_norm_fwd(x, scale, bias, eps=eps)[0]


@layer_norm.fwd
def layer_norm_fwd(x, scale, bias, *, eps):
    long = x.astype(wide(x.dtype))
    m = long.mean(-1, keepdims=True)
    r = lax.rsqrt(jnp.square(long - m).mean(-1, keepdims=True) + eps)
    z = ((long - m) * r).astype(x.dtype)
    return _row(scale, x) * z + _row(bias, x), (z, r, scale)


@layer_norm.bwd
def layer_norm_bwd(saved, dy, *, eps):
    z, r, scale = saved
    dtype, (z, dy, scale) = dy.dtype, _long(r, z, dy, scale)
    grads = _through(z, r, _row(scale, z) * dy, (-1,)), *_affine(z, dy)
    return tuple(g.astype(dtype) for g in grads)


@layer_norm.check
def _check_layer(x, scale, bias, *, eps):
    _check("layer_norm", x, eps, scale=scale, bias=bias)


@operator()
def batch_norm(
    x: Float[Array, "n *size c"],
    scale: C,
    bias: C,
    mean: C,
    var: C,
    *,
    train: bool,
    momentum: float = 0.9,
    eps: float = 1e-5,
) -> tuple[Float[Array, "n *size c"], C, C]:
    """Normalize each channel: over the batch in training, by the running mean and var later.

    Shapes: mean and var (c,) in and out. Training gives the new running values
            momentum old + (1 - momentum) batch, where the batch's variance is the biased one;
            otherwise they come back unchanged.
    Source: Ioffe & Szegedy, arXiv:1502.03167.
    """
    return batch_norm_fwd(x, scale, bias, mean, var, train=train, momentum=momentum, eps=eps)[0]


@batch_norm.fwd
def batch_norm_fwd(x, scale, bias, mean, var, *, train, momentum, eps):
    long, m, v = (a.astype(wide(a.dtype)) for a in (x, mean, var))
    if train:
        n = tuple(range(x.ndim - 1))
        m_new = long.mean(n)
        v_new = jnp.square(long - _row(m_new, x)).mean(n)
        blend = lambda old, new: (momentum * old + (1 - momentum) * new).astype(x.dtype)
        mean, var = blend(m, m_new), blend(v, v_new)
        m, v = m_new, v_new
    r = lax.rsqrt(v + eps)
    z = ((long - _row(m, x)) * _row(r, x)).astype(x.dtype)
    return (_row(scale, x) * z + _row(bias, x), mean, var), (z, r, scale)


@batch_norm.bwd
def batch_norm_bwd(saved, dout, *, train, momentum, eps):
    """The new running values are outputs too: their cotangents reach x through m and v.

    In evaluation m and v are the arguments mean and var: z = (x - mean) r, dr / dvar = -r^3 / 2.
    """
    z, r, scale = saved
    dtype, (z, scale, dy, dmean, dvar) = z.dtype, _long(r, z, scale, *dout)
    n, rows = tuple(range(z.ndim - 1)), z.size // z.shape[-1]
    dz = _row(scale, z) * dy
    if train:
        new = 1 - momentum
        dx = _through(z, _row(r, z), dz, n)
        dx = dx + _row(new / rows * dmean, z) + z * _row(2 * new / rows * dvar / r, z)
        dmean, dvar = momentum * dmean, momentum * dvar
    else:
        dx = dz * _row(r, z)
        dmean, dvar = dmean - dz.sum(n) * r, dvar - (dz * z).sum(n) * r**2 / 2
    return tuple(g.astype(dtype) for g in (dx, *_affine(z, dy), dmean, dvar))


@batch_norm.check
def _check_batch(x, scale, bias, mean, var, *, train, momentum, eps):
    _check("batch_norm", x, eps, scale=scale, bias=bias, mean=mean, var=var)
    require_rank("batch_norm", 2, x=x)
    require_numbers("batch_norm", momentum=momentum)
    if not isinstance(train, bool):
        raise TypeError(f"batch_norm: train {train!r} must be True or False")
    require(0 <= momentum <= 1, f"batch_norm: momentum {momentum} must lie in [0, 1]")
    empty = train and math.prod(x.shape[:-1]) == 0
    require(not empty, f"batch_norm: x {x.shape} has nothing to take statistics of")


def _through(z, r, dz, pooled):
    """dx, through z and through the mean and variance of the pooled axes."""
    mean = lambda a: a.mean(pooled, keepdims=True)
    return r * (dz - mean(dz) - z * mean(dz * z))


def _long(r, *arrays):
    """In the precision of r: sums of many short numbers are taken there."""
    return [a.astype(r.dtype) for a in arrays]


def _affine(z, dy):
    """dscale and dbias."""
    n = tuple(range(z.ndim - 1))
    return (dy * z).sum(n), dy.sum(n)


def _row(v, x):
    """v (c,), with axes of length 1 before it, as x has."""
    return v.reshape((1,) * (x.ndim - 1) + (-1,))


def _check(name, x, eps, **per_channel):
    require_floats(name, x=x, **per_channel)
    require_rank(name, 1, x=x)
    require(x.shape[-1] > 0, f"{name}: x {x.shape} has no features")
    for k, v in per_channel.items():
        require(
            v.shape == x.shape[-1:],
            f"{name}: {k} {v.shape} needs shape {x.shape[-1:]}, as x {x.shape}",
        )
    require_numbers(name, eps=eps)
    require(eps > 0, f"{name}: eps {eps} must be positive")


def _positive(key):
    return jax.random.uniform(key, (3,), minval=0.5, maxval=2.0)


STATS = ((3,), (3,), (3,), _positive)
layer_norm.cases = (
    Case("rows", ((4, 3), (3,), (3,))),
    Case("images", ((2, 3, 2, 4), (4,), (4,)), {"eps": 1e-3}),
    Case("one feature", ((4, 1), (1,), (1,))),
    Case("no examples", ((0, 3), (3,), (3,))),
    Case("far from 0", (lambda key: 1e4 + jax.random.normal(key, (4, 5)), (5,), (5,))),
    refused(r"scale \(4,\) needs shape \(3,\)", (4, 3), (4,), (3,)),
    refused("eps 0.0 must be positive", (4, 3), (3,), (3,), eps=0.0),
    refused("has no features", (4, 0), (0,), (0,)),
    refused("x holds int32", ints((4, 3)), (3,), (3,), kind=TypeError),
)
batch_norm.cases = (
    Case("rows", ((6, 3), *STATS), {"train": True}),
    Case("images", ((2, 3, 2, 3), *STATS), {"train": True, "momentum": 0.7, "eps": 1e-3}),
    Case("evaluation", ((2, 3, 2, 3), *STATS), {"train": False}),
    Case("one example", ((1, 3), *STATS), {"train": True, "eps": 1e-2}),
    Case("no examples", ((0, 3), *STATS), {"train": False}),
    refused(r"mean \(2,\) needs shape", (4, 3), (3,), (3,), (2,), (3,), train=True),
    refused("momentum 1.5 must", (4, 3), *STATS, train=True, momentum=1.5),
    refused("train 'yes' must", (4, 3), *STATS, train="yes", kind=TypeError),
    refused("missing a required argument: 'train'", (4, 3), *STATS, kind=TypeError),
    refused("eps -1.0 must", (4, 3), *STATS, train=True, eps=-1.0),
    refused("nothing to take statistics of", (0, 3), *STATS, train=True),
    refused("at least 2 axes", (3,), *STATS, train=True),
    refused("x holds int32", ints((4, 3)), *STATS, train=True, kind=TypeError),
)
