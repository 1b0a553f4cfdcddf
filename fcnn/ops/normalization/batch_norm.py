"""Batch normalization: each channel by its statistics over the batch, and space, in training.

Let N entries of a channel count: all of them, or those that a mask names. With sums over these,

    m = sum x / N      f = sum (x - m) / N      d = x - m - f
    v = sum d^2 / N    r = 1 / sqrt(v + eps)    z = d r            y = scale z + bias

f is 0 but for the rounding of m, which may be more than d where x is far from 0. No gradient goes
through it. The running values move to momentum mean + (1 - momentum) (m + f), and likewise var to
v. Later, m and v are the running values themselves, and f = 0. With sums over all entries, counting
or not,

    dscale = sum dy z               dbias = sum dy

and as each z moves with m and v, by -r and by -z r^2 / 2, and dz = scale dy,

    dm = -r scale dbias             dv = -r^2 scale dscale / 2

In training these, and what the new running values add, are spread over the entries that count:

    dm += (1 - momentum) dmean      dv += (1 - momentum) dvar
    dx = r scale dy + [counts] (dm + 2 d dv) / N

Where one batch lies along a mapped axis of vmap, pmap or shard_map, the sums in N, m, f, v, dm and
dv run over the lanes of `axis_name` too. x, m, f, r, scale, N and the mask are saved: d rounded to
half precision would not cancel with dy where dx is small. Where nothing counts, m = v = 0 and the
running values stay.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.normalization.channels import (
    C,
    as_long_as,
    extremes,
    of_scale_and_bias,
    require_channels,
    row,
    scaled,
)
from fcnn.ops.op import Case, ints, operator, rejects
from fcnn.ops.validation import require, require_flags, require_numbers, require_rank


@operator()
def batch_norm(
    x: Float[Array, "n *size c"],
    scale: C,
    bias: C,
    mean: C,
    var: C,
    mask: Bool[Array, "n ..."] | None = None,
    *,
    train: bool,
    momentum: float = 0.9,
    eps: float = 1e-5,
    axis_name: str | tuple[str, ...] | None = None,
) -> tuple[Float[Array, "n *size c"], C, C]:
    """Normalize each channel: over the batch in training, by the running mean and var later.

    Shapes: mean and var (c,) in and out: training gives the new running values, evaluation the old.
            mask has leading axes of x, as in (n,) or (n, *size), and is True where x counts in the
            statistics; what does not count is normalized all the same, and must be finite.
            `axis_name` names one or several mapped axes of vmap, pmap or shard_map; statistics
            are then those of all lanes together. Under vmap each lane gives the same running
            values, along axis 0: out_axes=0, also where autodiff would allow None.
    Units:  x's own in, plain numbers out, then those of scale and bias. Where the variance
            overflows, from about |x| = 1e19 in float32, z is 0, and so is dx but for what the
            running values add. Where the sum of x overflows, y is NaN.
    Raises: ValueError if shapes disagree, eps <= 0, or momentum lies outside [0, 1]; TypeError for
            integers.
    Cost:   about 10 operations per entry forward, 11 back; `axis_name` adds four sums of c numbers
            over the lanes forward, and one of 2 c back.
    Source: Ioffe & Szegedy, arXiv:1502.03167.
    """
    how = {"train": train, "momentum": momentum, "eps": eps, "axis_name": axis_name}
    return batch_norm_fwd(x, scale, bias, mean, var, mask, **how)[0]


@batch_norm.fwd
def batch_norm_fwd(x, scale, bias, mean, var, mask, *, train, momentum, eps, axis_name):
    long, count = x.astype(accumulation_dtype(x.dtype)), None
    m, v, f = (a.astype(long.dtype) for a in (mean, var, jnp.zeros_like(mean)))
    if train:
        count = _over_lanes(_count(x, mask), axis_name)
        at_least_1, new = jnp.maximum(count, 1), _new(count, momentum)
        average = lambda a: _over_lanes(_counting(a, mask).sum(_n(x)), axis_name) / at_least_1
        m = average(long)
        f = lax.stop_gradient(average(long - row(m, x)))
        v = average(jnp.square(long - row(m, x) - row(f, x)))
        blend = lambda old, batch: ((1 - new) * old.astype(new.dtype) + new * batch).astype(x.dtype)
        mean, var = blend(mean, m + f), blend(var, v)
    r = lax.rsqrt(v + eps)
    y = scaled(scale, (long - row(m, x) - row(f, x)) * row(r, x), bias)
    return (y, mean, var), (x, m, f, r, scale, count, mask)


@batch_norm.bwd
def batch_norm_bwd(saved, dout, *, train, momentum, eps, axis_name):
    """m and v are sums over lanes, so what dmean and dvar add to dm and dv goes through an adjoint.

    JAX writes that: it knows whether the lanes share one cotangent (shard_map) or have one each.
    """
    x, m, f, r, scale, count, mask = saved
    dtype, (x, scale, dy, dmean, dvar) = x.dtype, as_long_as(r, x, scale, *dout)
    d = x - row(m, x) - row(f, x)
    dscale, dbias = of_scale_and_bias(d * row(r, d), dy)
    dm, dv = -r * scale * dbias, -jnp.square(r) * scale * dscale / 2
    dx = row(r * scale, d) * dy
    if train:
        new = _new(count, momentum)
        own, given = jnp.stack([dm, dv]), new * jnp.stack([dmean, dvar])
        total = lambda own: _over_lanes(own, axis_name)
        _, adjoint = jax.vjp(lambda own: total(own) + given, own)  # + given, for its type alone
        dm, dv = total(own) + adjoint(given)[0]
        at_least_1 = jnp.maximum(count, 1)
        spread = row(dm / at_least_1, d) + d * row(2 * dv / at_least_1, d)
        dx = dx + _counting(spread, mask)
        dmean, dvar = (1 - new) * dmean, (1 - new) * dvar
    else:
        dmean, dvar = dmean + dm, dvar + dv
    return *(g.astype(dtype) for g in (dx, dscale, dbias, dmean, dvar)), None


def _n(x):
    """All axes but the channels'."""
    return tuple(range(x.ndim - 1))


def _counting(a, mask):
    """a (n, *size, c) where it counts, and 0 elsewhere."""
    if mask is None:
        return a
    mask = mask.reshape(mask.shape + (1,) * (a.ndim - mask.ndim))
    return jnp.where(jnp.broadcast_to(mask, a.shape), a, jnp.zeros_like(a))


def _count(x, mask):
    """How many entries of a channel count."""
    places = math.prod(x.shape[:-1])
    count = jnp.asarray(places) if mask is None else mask.sum() * (places // mask.size)
    return count.astype(accumulation_dtype(x.dtype))


def _new(count, momentum):
    """The weight of the batch in the new running values."""
    return jnp.where(count > 0, 1 - momentum, jnp.zeros_like(count))


def _over_lanes(a, axis_name):
    return a if axis_name is None else lax.psum(a, axis_name)


@batch_norm.validate
def _validate(x, scale, bias, mean, var, mask, *, train, momentum, eps, axis_name):
    require_channels("batch_norm", x, eps, scale=scale, bias=bias, mean=mean, var=var)
    require_rank("batch_norm", 2, x=x)
    require_numbers("batch_norm", momentum=momentum)
    require_flags("batch_norm", train=train)
    names = axis_name if isinstance(axis_name, tuple) else (axis_name,)
    if not (axis_name is None or all(isinstance(name, str) for name in names)):
        raise TypeError(f"batch_norm: axis_name {axis_name!r} must be a name, or several")
    if train:
        _require_bound(names)
    require(0 <= momentum <= 1, f"batch_norm: momentum {momentum} must lie in [0, 1]")
    empty = train and math.prod(x.shape[:-1]) == 0
    require(not empty, f"batch_norm: x {x.shape} has nothing to take statistics of")
    if mask is not None:
        if mask.dtype != bool:
            raise TypeError(f"batch_norm: mask holds {mask.dtype}, not booleans")
        fits = 1 <= mask.ndim < x.ndim and mask.shape == x.shape[: mask.ndim]
        require(fits, f"batch_norm: mask {mask.shape} needs the leading axes of x {x.shape}")


def _require_bound(names):
    try:
        _over_lanes(1, tuple(name for name in names if name is not None))
    except NameError:
        need = "needs vmap, pmap or shard_map around this call, with axes of these names"
        raise NameError(f"batch_norm: axis_name {names} {need}") from None


def _positive(rng):
    return rng.uniform(0.5, 2, 3)


def _some(*shape):
    """A mask of True and False: mostly True, and True for the first example."""

    def draw(rng):
        mask = rng.random(shape) < 0.6
        mask[0] = True
        return mask

    return draw


STATS = ((3,), (3,), (3,), _positive)
TRAIN = {"train": True}
batch_norm.cases = (
    Case("rows", ((6, 3), *STATS, None), TRAIN),
    Case("images", ((2, 3, 2, 3), *STATS, None), {"train": True, "momentum": 0.7, "eps": 1e-3}),
    Case("evaluation", ((2, 3, 2, 3), *STATS, None), {"train": False}),
    Case("one example", ((1, 3), *STATS, None), {"train": True, "eps": 1e-2}),
    Case("no examples", ((0, 3), *STATS, None), {"train": False}),
    Case("padded examples", ((5, 2, 3), *STATS, _some(5)), TRAIN),
    Case("padded places", ((2, 3, 2, 3), *STATS, _some(2, 3, 2)), {"train": True, "momentum": 0.6}),
    Case("nothing counts", ((2, 3), *STATS, lambda rng: np.zeros(2, bool)), TRAIN | {"eps": 1.0}),
    rejects(r"mean \(2,\) needs shape", (4, 3), (3,), (3,), (2,), (3,), None, train=True),
    rejects("momentum 1.5 must", (4, 3), *STATS, None, train=True, momentum=1.5),
    rejects("train 'yes' must", (4, 3), *STATS, None, train="yes", kind=TypeError),
    rejects("axis_name 3 must", (4, 3), *STATS, None, **TRAIN, axis_name=3, kind=TypeError),
    rejects("missing a required .*argument: 'train'", (4, 3), *STATS, None, kind=TypeError),
    rejects("eps -1.0 must", (4, 3), *STATS, None, train=True, eps=-1.0),
    rejects("nothing to take statistics of", (0, 3), *STATS, None, train=True),
    rejects("at least 2 axes", (3,), *STATS, None, train=True),
    rejects("x holds int32", ints((4, 3)), *STATS, None, train=True, kind=TypeError),
    rejects("mask holds int32", (4, 3), *STATS, ints((4,)), train=True, kind=TypeError),
    rejects(
        "axis_name .*'i'.* needs vmap", (4, 3), *STATS, None, **TRAIN, axis_name="i", kind=NameError
    ),
    rejects(r"mask \(3,\) needs the leading axes", (4, 3), *STATS, _some(3), train=True),
    rejects(r"mask \(4, 3\) needs the leading axes", (4, 3), *STATS, _some(4, 3), train=True),
)
batch_norm.cases += extremes((6, 3), *STATS, None, **TRAIN)
