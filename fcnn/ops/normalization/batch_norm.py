"""Batch normalization: normalize each channel by its mean and variance over the batch and space.

The statistics of a channel are computed from N entries: all entries of the channel, or the entries
where a mask is True. With sums over these entries, in training,

    m = sum x / N      f = sum (x - m) / N      d = x - m - f
    v = sum d^2 / N    r = 1 / sqrt(v + eps)    z = d r            y = scale z + bias

f corrects the rounding error of m, which may exceed d where x is far from 0. No gradient goes
through f, which is 0 without rounding. The new running values are
momentum mean + (1 - momentum) (m + f), and momentum var + (1 - momentum) v. In evaluation, m and v
are the running values, and f = 0. With sums over all entries, whatever the mask,

    dscale = sum dy z               dbias = sum dy

and, with dz / dm = -r, dz / dv = -z r^2 / 2 and the cotangent scale dy of z,

    dm = -r scale dbias             dv = -r^2 scale dscale / 2

In training, the cotangents of the new running values are added, and x gets the gradients through m
and v:

    dm += (1 - momentum) dmean      dv += (1 - momentum) dvar
    dx = r scale dy + [mask] (dm + 2 d dv) / N

Where a batch is distributed along a mapped axis of vmap, pmap or shard_map, the sums in N, m, f, v,
dm and dv run over that axis too. x, m, f, r, scale, N and the mask are saved. d is recomputed: in
half precision, the terms of dx would not cancel with a rounded d. If N = 0, then m = v = 0 and the
running values stay unchanged.

The running values may be float32 while x is float16 or bfloat16. They change by a fraction
1 - momentum of their distance from the batch statistics, which a half-precision number cannot hold:
in bfloat16, 0.99 * 1 + 0.01 * 1.1 is rounded to 1.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from fcnn.ops.case import Case, ints, rejects
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.normalization.channels import (
    C,
    expand,
    extremes,
    in_dtype_of,
    require_channels,
    require_one_per_channel,
    scale_and_bias_gradients,
    scale_and_shift,
)
from fcnn.ops.op import operator
from fcnn.ops.validation import (
    require,
    require_flags,
    require_floats,
    require_numbers,
    require_rank,
)


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
    """Batch normalization: normalize each channel by batch statistics or running statistics.

    Shapes: x (n, *size, c), scale, bias, mean and var (c,), mask (n,), (n, *size) or any leading
            axes of x -> y (n, *size, c), mean (c,), var (c,). The outputs mean and var are the new
            running values in training, and the inputs mean and var in evaluation. mask is True
            where x is part of the statistics. Other entries of x are normalized too, and must be
            finite. mean and var have the dtype of x, or float32 where x is float16 or bfloat16.
            The outputs mean and var have their dtype.
    Options:
        train: whether to normalize by batch statistics (True), or by `mean` and `var` (False).
        momentum: the weight of the old running values (torch's momentum is 1 minus this).
        eps: added to the variance; positive.
        axis_name: one or several mapped axes of vmap, pmap or shard_map, along which the batch is
            distributed. Under vmap the new running values are equal in all instances, but vmap
            treats them as mapped: write out_axes=0 for them.
    Units:  y is in units of scale, eps in units of x squared. Where the variance overflows, from
            about |x| = 1e19 in float32, y is bias, and dx through y is 0. Where the sum of x
            overflows, y is NaN.
    Raises: ValueError if shapes disagree, x has no entries in training, eps <= 0, or momentum lies
            outside [0, 1]; TypeError if an argument does not hold floats, mask does not hold
            booleans, or dtypes disagree; NameError if axis_name is not bound.
    Cost:   about 10 operations per entry forward, 11 backward. `axis_name` adds sums over the
            mapped axis: one of 1 and three of c numbers forward, one of 2 c numbers backward.
    Source: Ioffe & Szegedy, arXiv:1502.03167.

    >>> x, one, zero = jnp.array([[1.0], [3.0]]), jnp.ones(1), jnp.zeros(1)
    >>> y, mean, var = fcnn.batch_norm(x, one, zero, zero, one, train=True, momentum=0.5)
    >>> y.ravel().round(3), mean
    (Array([-1.,  1.], dtype=float32), Array([1.], dtype=float32))
    """
    options = {"train": train, "momentum": momentum, "eps": eps, "axis_name": axis_name}
    return batch_norm_fwd(x, scale, bias, mean, var, mask, **options)[0]


@batch_norm.fwd
def batch_norm_fwd(x, scale, bias, mean, var, mask, *, train, momentum, eps, axis_name):
    wide, count = x.astype(accumulation_dtype(x.dtype)), None
    m, v, f = (a.astype(wide.dtype) for a in (mean, var, jnp.zeros_like(mean)))
    if train:
        count = _sum_over_axes(_count(x, mask), axis_name)
        at_least_1, weight = jnp.maximum(count, 1), _batch_weight(count, momentum)
        average = lambda a: _sum_over_axes(_masked(a, mask).sum(_n(x)), axis_name) / at_least_1
        m = average(wide)
        f = lax.stop_gradient(average(wide - expand(m, x)))
        v = average(jnp.square(wide - expand(m, x) - expand(f, x)))
        blend = lambda old, batch: (
            (1 - weight) * old.astype(weight.dtype) + weight * batch
        ).astype(old.dtype)
        mean, var = blend(mean, m + f), blend(var, v)
    r = lax.rsqrt(v + eps)
    y = scale_and_shift(scale, (wide - expand(m, x) - expand(f, x)) * expand(r, x), bias)
    return (y, mean, var), (x, m, f, r, scale, count, mask)


@batch_norm.bwd
def batch_norm_bwd(saved, dout, *, train, momentum, eps, axis_name):
    """dx, dscale, dbias, dmean and dvar.

    m and v are sums over `axis_name`. So dmean and dvar enter dm and dv through the adjoint of such
    a sum, which JAX derives: under shard_map all devices share one cotangent, under vmap each
    instance has one.
    """
    x, m, f, r, scale, count, mask = saved
    dtypes = 3 * (x.dtype,) + tuple(a.dtype for a in dout[1:])
    x, scale, dy, dmean, dvar = in_dtype_of(r, x, scale, *dout)
    d = x - expand(m, x) - expand(f, x)
    dscale, dbias = scale_and_bias_gradients(d * expand(r, d), dy)
    dm, dv = -r * scale * dbias, -jnp.square(r) * scale * dscale / 2
    dx = expand(r * scale, d) * dy
    if train:
        weight = _batch_weight(count, momentum)
        local, running = jnp.stack([dm, dv]), weight * jnp.stack([dmean, dvar])
        total = lambda a: _sum_over_axes(a, axis_name)
        _, adjoint = jax.vjp(lambda a: total(a) + running, local)  # `+ running` sets the type
        dm, dv = total(local) + adjoint(running)[0]
        at_least_1 = jnp.maximum(count, 1)
        spread = expand(dm / at_least_1, d) + d * expand(2 * dv / at_least_1, d)
        dx = dx + _masked(spread, mask)
        dmean, dvar = (1 - weight) * dmean, (1 - weight) * dvar
    else:
        dmean, dvar = dmean + dm, dvar + dv
    each = zip((dx, dscale, dbias, dmean, dvar), dtypes, strict=True)
    return *(g.astype(dtype) for g, dtype in each), None


def _n(x):
    """All axes but the last."""
    return tuple(range(x.ndim - 1))


def _masked(a, mask):
    """a (n, *size, c) where the mask is True, and 0 elsewhere."""
    if mask is None:
        return a
    mask = mask.reshape(mask.shape + (1,) * (a.ndim - mask.ndim))
    return jnp.where(jnp.broadcast_to(mask, a.shape), a, jnp.zeros_like(a))


def _count(x, mask):
    """N, the number of entries of a channel that are part of its statistics."""
    entries = math.prod(x.shape[:-1])
    count = jnp.asarray(entries) if mask is None else mask.sum() * (entries // mask.size)
    return count.astype(accumulation_dtype(x.dtype))


def _batch_weight(count, momentum):
    """The weight of the batch in the new running values."""
    return jnp.where(count > 0, 1 - momentum, jnp.zeros_like(count))


def _sum_over_axes(a, axis_name):
    return a if axis_name is None else lax.psum(a, axis_name)


@batch_norm.validate
def _validate(x, scale, bias, mean, var, mask, *, train, momentum, eps, axis_name):
    require_channels(x, eps, scale=scale, bias=bias)
    _require_running(x, mean=mean, var=var)
    require_rank(2, x=x)
    require_numbers(momentum=momentum)
    require_flags(train=train)
    names = axis_name if isinstance(axis_name, tuple) else (axis_name,)
    if not (axis_name is None or all(isinstance(name, str) for name in names)):
        raise TypeError(f"axis_name {axis_name!r} must be a name or a tuple of names")
    if train:
        _require_bound(names)
    require(0 <= momentum <= 1, f"momentum {momentum} must lie in [0, 1]")
    empty = train and math.prod(x.shape[:-1]) == 0
    require(not empty, f"x {x.shape} has no entries; skip this batch")
    if mask is not None:
        if mask.dtype != bool:
            write = "write mask.astype(bool)"
            raise TypeError(f"mask holds {mask.dtype}, not booleans; {write}")
        fits = 1 <= mask.ndim < x.ndim and mask.shape == x.shape[: mask.ndim]
        require(fits, f"mask {mask.shape} needs the leading axes of x {x.shape}")


def _require_running(x, **running):
    """Raise unless the running values have one entry per channel, and a dtype that goes with x."""
    require_floats(**running)
    require_one_per_channel(x, **running)
    wide = accumulation_dtype(x.dtype)
    for k, v in running.items():
        if v.dtype not in (x.dtype, wide):
            needs = f"{k} {v.dtype} needs dtype {wide}, or that of x {x.dtype}"
            raise TypeError(f"{needs}; write {k}.astype(jnp.{wide})")
        require(
            v.shape == x.shape[-1:], f"{k} {v.shape} needs shape {x.shape[-1:]} for x {x.shape}"
        )


def _require_bound(names):
    try:
        _sum_over_axes(1, tuple(name for name in names if name is not None))
    except NameError:
        write = "call it inside of vmap, pmap or shard_map with axes of these names"
        # an operator adds its name to a ValueError or TypeError, not to a NameError
        raise NameError(f"batch_norm: axis_name {names} is not bound; {write}") from None


def _positive(rng):
    return rng.uniform(0.5, 2, 3)


def _mask(*shape):
    """A boolean mask: mostly True, and True for the first example."""

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
    Case("padded examples", ((5, 2, 3), *STATS, _mask(5)), TRAIN),
    Case("padded cells", ((2, 3, 2, 3), *STATS, _mask(2, 3, 2)), {"train": True, "momentum": 0.6}),
    Case("empty mask", ((2, 3), *STATS, lambda rng: np.zeros(2, bool)), TRAIN | {"eps": 1.0}),
    rejects(r"mean \(2,\) needs shape", (4, 3), (3,), (3,), (2,), (3,), None, train=True),
    rejects("momentum 1.5 must", (4, 3), *STATS, None, train=True, momentum=1.5),
    rejects("train 'yes' must", (4, 3), *STATS, None, train="yes", kind=TypeError),
    rejects("axis_name 3 must", (4, 3), *STATS, None, **TRAIN, axis_name=3, kind=TypeError),
    rejects("missing a required .*argument: 'train'", (4, 3), *STATS, None, kind=TypeError),
    rejects("eps -1.0 must", (4, 3), *STATS, None, train=True, eps=-1.0),
    rejects("has no entries", (0, 3), *STATS, None, train=True),
    rejects("at least 2 axes", (3,), *STATS, None, train=True),
    rejects("x holds int32", ints((4, 3)), *STATS, None, train=True, kind=TypeError),
    rejects(
        "mean float32 needs dtype float64, or that of x float64; write mean.astype",
        (4, 3),
        *STATS[:2],
        *2 * (lambda rng: np.ones(3, np.float32),),
        None,
        train=True,
        kind=TypeError,
    ),
    rejects("mask holds int32", (4, 3), *STATS, ints((4,)), train=True, kind=TypeError),
    rejects(
        "axis_name .*'i'.* is not bound",
        (4, 3),
        *STATS,
        None,
        **TRAIN,
        axis_name="i",
        kind=NameError,
    ),
    rejects(r"mask \(3,\) needs the leading axes", (4, 3), *STATS, _mask(3), train=True),
    rejects(r"mask \(4, 3\) needs the leading axes", (4, 3), *STATS, _mask(4, 3), train=True),
)
batch_norm.cases += extremes((6, 3), *STATS, None, **TRAIN)
