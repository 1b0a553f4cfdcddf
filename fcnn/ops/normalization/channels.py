"""What normalizations share: arrays with one entry per channel, on x's last axis."""

import numpy as np
from jaxtyping import Array, Float

from fcnn.ops.op import extreme, normals
from fcnn.ops.validation import require, require_floats, require_numbers, require_rank

C = Float[Array, " c"]


def row(v, x):
    """v (c,), with axes of length 1 before it, as x has."""
    return v.reshape((1,) * (x.ndim - 1) + (-1,))


def scaled(scale, z, bias=None):
    """scale z + bias, of z in the dtype that sums are kept in, rounded once to that of scale."""
    s, *b = (row(v, z).astype(z.dtype) for v in (scale, bias) if v is not None)
    return (s * z + b[0] if b else s * z).astype(scale.dtype)


def as_long_as(r, *arrays):
    """In the precision of r: sums of many short numbers are taken there."""
    return [a.astype(r.dtype) for a in arrays]


def of_scale_and_bias(z, dy):
    """dscale and dbias."""
    n = tuple(range(z.ndim - 1))
    return (dy * z).sum(n), dy.sum(n)


def extremes(shape, *more, **options):
    """For `Op.cases`: x of this shape at its extremes."""
    first = np.arange(np.prod(shape)).reshape(shape) % 6 == 0
    drawn = {
        "huge": normals(shape, 1e9),
        "far from 0": normals(shape, 32, 3e4),
        "nearly equal": normals(shape, 1e-3, 1),
        "equal": normals(shape, 0, 1),
        "tiny": normals(shape, 1e-30),
        "one dominates": lambda rng: np.where(first, 5e4, rng.standard_normal(shape)),
    }
    return tuple(extreme(name, x, *more, **options) for name, x in drawn.items())


def require_channels(name, x, eps, **per_channel):
    """What every normalization asks of x, of eps, and of the arrays with one entry per channel."""
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
