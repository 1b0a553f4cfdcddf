"""Shared parts of normalizations: arrays with one entry per channel, the last axis of x."""

import numpy as np
from jaxtyping import Array, Float

from fcnn.ops.case import extreme, normals
from fcnn.ops.validation import require, require_floats, require_numbers, require_rank

C = Float[Array, " c"]


def expand(v, x):
    """v (c,) as (1, ..., 1, c), with as many axes as x."""
    return v.reshape((1,) * (x.ndim - 1) + (-1,))


def scale_and_shift(scale, z, bias=None):
    """scale z + bias, computed in the dtype of z and rounded once to the dtype of scale."""
    s, *b = (expand(v, z).astype(z.dtype) for v in (scale, bias) if v is not None)
    return (s * z + b[0] if b else s * z).astype(scale.dtype)


def in_dtype_of(r, *arrays):
    """The arrays in the dtype of r, in which long sums are accumulated."""
    return [a.astype(r.dtype) for a in arrays]


def scale_and_bias_gradients(z, dy):
    """dscale and dbias."""
    n = tuple(range(z.ndim - 1))
    return (dy * z).sum(n), dy.sum(n)


def extremes(shape, *others, **options):
    """Cases of `Op.cases`: an extreme x of this shape, followed by the other arguments."""
    first = np.arange(np.prod(shape)).reshape(shape) % 6 == 0
    drawn = {
        "huge": normals(shape, 1e9),
        "far from 0": normals(shape, 32, 3e4),
        "nearly equal": normals(shape, 1e-3, 1),
        "equal": normals(shape, 0, 1),
        "tiny": normals(shape, 1e-30),
        "one dominates": lambda rng: np.where(first, 5e4, rng.standard_normal(shape)),
    }
    return tuple(extreme(name, x, *others, **options) for name, x in drawn.items())


def require_channels(x, eps, **per_channel):
    """Raise unless x, eps and the arrays with one entry per channel fit each other."""
    require_floats(x=x, **per_channel)
    require_rank(1, x=x)
    require(x.shape[-1] > 0, f"x {x.shape} has no features")
    require_one_per_channel(x, **per_channel)
    require_numbers(eps=eps)
    require(eps > 0, f"eps {eps} must be positive")


def require_one_per_channel(x, **arrays):
    """ValueError unless every array has one entry per channel of x."""
    for k, v in arrays.items():
        require(
            v.shape == x.shape[-1:],
            f"{k} {v.shape} needs shape {x.shape[-1:]} for x {x.shape}",
        )
