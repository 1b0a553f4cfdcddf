"""Normalization by the statistics of one example: layer, instance, group and RMS norm.

With m and v the mean and the (biased, two-pass) variance of the entries that are pooled together,

    r = 1 / sqrt(v + eps)      z = (x - m) r      y = scale z + bias

The rounding error of m would change all z that share it by up to u |m| r, with u the machine
epsilon: by 0.02 for x = 1000 ± 0.005 in float32. So the mean of x - m is subtracted too:
f = mean(x - m) and d = x - m - f. Without rounding f is 0, so no gradient goes through it. Each
entry of x changes its z directly, and through m and v every z that is pooled with it:

    dz = scale dy
    dx = r (dz - mean(dz) - z mean(dz z))
    dscale = sum dy z          dbias = sum dy

with each mean over the pooled entries, and each sum over all entries that share a scale. x, m, f, r
and scale are saved. z is recomputed from these by three operations: in half precision, the terms of
dx would not cancel with a rounded z. For each example, these entries are pooled together:

    layer       the last axis                  group    space and neighbouring channels
    instance    space, for each channel        batch    see `batch_norm.py`

RMS normalization is layer normalization with m = 0 and without bias. Its dx has no mean(dz).
"""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from fcnn.ops.case import Case, ints, rejects
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.normalization.channels import (
    C,
    expand,
    extremes,
    in_dtype_of,
    require_channels,
    scale_and_bias_gradients,
    scale_and_shift,
)
from fcnn.ops.op import operator
from fcnn.ops.validation import require, require_counts, require_rank


@operator()
def layer_norm(
    x: Float[Array, "*n c"], scale: C, bias: C, *, eps: float = 1e-5
) -> Float[Array, "*n c"]:
    """Layer normalization: normalize each example over its features, the last axis.

    Shapes: x (*n, c), scale and bias (c,) -> y (*n, c).
    Options:
        eps: added to the variance; positive.
    Units:  y is in units of scale and bias, eps in units of x squared. Where the variance
            overflows, from about |x| = 1e19 in float32, y is bias and dx is 0. Where the sum of x
            overflows, y is NaN.
    Raises: ValueError if shapes disagree, c is 0, or eps <= 0; TypeError if an argument does
            not hold floats.
    Cost:   about 10 operations per entry forward, 11 back.
    Source: Ba, Kiros & Hinton, arXiv:1607.06450.

    >>> x = jnp.array([[1.0, 3.0], [10.0, 30.0]])
    >>> fcnn.layer_norm(x, jnp.ones(2), jnp.zeros(2)).round(3)
    Array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)
    """
    return layer_norm.fwd_rule(x, scale, bias, eps=eps)[0]


@operator()
def instance_norm(
    x: Float[Array, "n *size c"], scale: C, bias: C, *, eps: float = 1e-5
) -> Float[Array, "n *size c"]:
    """Instance normalization: normalize each channel of each example over space.

    Shapes: x (n, *size, c) with at least one spatial axis, scale and bias (c,) -> y (n, *size, c).
    Options:
        eps: added to the variance; positive.
    Units:  y is in units of scale and bias, eps in units of x squared. Where the variance
            overflows, from about |x| = 1e19 in float32, y is bias and dx is 0. Where the sum of x
            overflows, y is NaN.
    Raises: ValueError if shapes disagree, x has no cells, or eps <= 0; TypeError if an argument
            does not hold floats.
    Cost:   about 10 operations per entry forward, 11 back.
    Source: Ulyanov, Vedaldi & Lempitsky, arXiv:1607.08022.

    >>> x = jnp.array([[[1.0, 10.0], [3.0, 30.0]]])  # 1 example, 2 cells, 2 channels
    >>> fcnn.instance_norm(x, jnp.ones(2), jnp.zeros(2)).round(3)
    Array([[[-1., -1.],
            [ 1.,  1.]]], dtype=float32)
    """
    return instance_norm.fwd_rule(x, scale, bias, eps=eps)[0]


@operator()
def group_norm(
    x: Float[Array, "n *size c"], scale: C, bias: C, *, groups: int, eps: float = 1e-5
) -> Float[Array, "n *size c"]:
    """Group normalization: normalize each group of channels of each example, over space.

    Shapes: x (n, *size, c), scale and bias (c,) -> y (n, *size, c).
    Options:
        groups: number of groups of neighbouring channels, a divisor of c. One group pools a whole
            example; c groups give `instance_norm`.
        eps: added to the variance; positive.
    Units:  y is in units of scale and bias, eps in units of x squared. Where the variance
            overflows, from about |x| = 1e19 in float32, y is bias and dx is 0. Where the sum of x
            overflows, y is NaN.
    Raises: ValueError if shapes disagree, groups does not divide c, or eps <= 0; TypeError if an
            argument does not hold floats.
    Cost:   about 10 operations per entry forward, 11 back.
    Source: Wu & He, arXiv:1803.08494.

    >>> x = jnp.array([[1.0, 3.0, 10.0, 30.0]])  # 1 example, no spatial axes, 4 channels
    >>> fcnn.group_norm(x, jnp.ones(4), jnp.zeros(4), groups=2).round(3)
    Array([[-1.,  1., -1.,  1.]], dtype=float32)
    """
    return group_norm.fwd_rule(x, scale, bias, groups=groups, eps=eps)[0]


def _grouped(x, groups):
    return x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups)


VIEWS = {  # the view of x to normalize, and its axes that are pooled
    layer_norm: lambda x: (x, (-1,)),
    instance_norm: lambda x: (x, tuple(range(1, x.ndim - 1))),
    group_norm: lambda x, groups: (_grouped(x, groups), (*range(1, x.ndim - 1), -1)),
}


def _set_rules(op, view_of):
    def fwd(x, scale, bias, *, eps, **options):
        view, pooled = view_of(x.astype(accumulation_dtype(x.dtype)), **options)
        m = view.mean(pooled, keepdims=True)
        f = lax.stop_gradient((view - m).mean(pooled, keepdims=True))
        d = view - m - f
        r = lax.rsqrt(jnp.square(d).mean(pooled, keepdims=True) + eps)
        return scale_and_shift(scale, (d * r).reshape(x.shape), bias), (x, m, f, r, scale)

    def bwd(saved, dy, *, eps, **options):
        x, m, f, r, scale = saved
        dtype, (x, scale, dy) = dy.dtype, in_dtype_of(r, x, scale, dy)
        dz, pooled = view_of(expand(scale, x) * dy, **options)
        mean = lambda a: a.mean(pooled, keepdims=True)
        z = (view_of(x, **options)[0] - m - f) * r
        dx = (r * (dz - mean(dz) - z * mean(dz * z))).reshape(dy.shape)
        dscale, dbias = scale_and_bias_gradients(z.reshape(dy.shape), dy)
        return tuple(g.astype(dtype) for g in (dx, dscale, dbias))

    op.fwd(fwd)
    op.bwd(bwd)


for op, view_of in VIEWS.items():
    _set_rules(op, view_of)


@layer_norm.validate
def _validate_layer(x, scale, bias, *, eps):
    require_channels(x, eps, scale=scale, bias=bias)


@instance_norm.validate
def _validate_instance(x, scale, bias, *, eps):
    require_channels(x, eps, scale=scale, bias=bias)
    require_rank(3, x=x)
    _require_cells(x)


@group_norm.validate
def _validate_group(x, scale, bias, *, groups, eps):
    require_channels(x, eps, scale=scale, bias=bias)
    require_rank(2, x=x)
    _require_cells(x)
    require_counts(groups=groups)
    divides = x.shape[-1] % groups == 0
    require(divides, f"groups {groups} does not divide {x.shape[-1]} channels")


@operator()
def rms_norm(x: Float[Array, "*n c"], scale: C, *, eps: float = 1e-6) -> Float[Array, "*n c"]:
    """RMS normalization: divide each example by the root mean square over its last axis.

    Shapes: x (*n, c), scale (c,) -> y (*n, c).
    Options:
        eps: added to the mean square; positive.
    Units:  y is in units of scale, eps in units of x squared. Where the mean square overflows, from
            about |x| = 1e19 in float32, y and dx are 0.
    Raises: ValueError if shapes disagree, c is 0, or eps <= 0; TypeError if an argument does not
            hold floats.
    Cost:   about 4 operations per entry forward, 9 back.
    Source: Zhang & Sennrich, arXiv:1910.07467.

    >>> fcnn.rms_norm(jnp.array([[1.0, 1.0], [3.0, -3.0]]), jnp.ones(2)).round(3)
    Array([[ 1.,  1.],
           [ 1., -1.]], dtype=float32)
    """
    return rms_norm_fwd(x, scale, eps=eps)[0]


@rms_norm.fwd
def rms_norm_fwd(x, scale, *, eps):
    wide = x.astype(accumulation_dtype(x.dtype))
    r = lax.rsqrt(jnp.square(wide).mean(-1, keepdims=True) + eps)
    return scale_and_shift(scale, wide * r), (x, r, scale)


@rms_norm.bwd
def rms_norm_bwd(saved, dy, *, eps):
    x, r, scale = saved
    dtype, (x, scale, dy) = dy.dtype, in_dtype_of(r, x, scale, dy)
    z, dz = x * r, expand(scale, x) * dy
    dx = r * (dz - z * (dz * z).mean(-1, keepdims=True))
    dscale, _ = scale_and_bias_gradients(z, dy)
    return dx.astype(dtype), dscale.astype(dtype)


@rms_norm.validate
def _validate_rms(x, scale, *, eps):
    require_channels(x, eps, scale=scale)


def _require_cells(x):
    has_cells = 0 not in x.shape[1:] or x.shape[0] == 0
    require(has_cells, f"x {x.shape} has no cells")


layer_norm.cases = (
    Case("rows", ((4, 3), (3,), (3,))),
    Case("images", ((2, 3, 2, 4), (4,), (4,)), {"eps": 1e-3}),
    Case("one feature", ((4, 1), (1,), (1,))),
    Case("no examples", ((0, 3), (3,), (3,))),
    Case("far from 0", (lambda rng: 1e4 + rng.standard_normal((4, 5)), (5,), (5,))),
    rejects(r"scale \(4,\) needs shape \(3,\)", (4, 3), (4,), (3,)),
    rejects("eps 0.0 must be positive", (4, 3), (3,), (3,), eps=0.0),
    rejects("has no features", (4, 0), (0,), (0,)),
    rejects("x holds int32", ints((4, 3)), (3,), (3,), kind=TypeError),
)
instance_norm.cases = (
    Case("sequences", ((2, 4, 3), (3,), (3,))),
    Case("images", ((2, 3, 2, 4), (4,), (4,)), {"eps": 1e-3}),
    Case("one cell", ((2, 1, 3), (3,), (3,))),
    Case("no examples", ((0, 2, 3), (3,), (3,))),
    rejects(r"bias \(4,\) needs shape \(3,\)", (2, 4, 3), (3,), (4,)),
    rejects("x (.*) needs at least 3 axes", (4, 3), (3,), (3,)),
    rejects("has no cells", (2, 0, 3), (3,), (3,)),
    rejects("eps 'small' must be a number", (2, 4, 3), (3,), (3,), eps="small", kind=TypeError),
    rejects("x holds int32", ints((2, 4, 3)), (3,), (3,), kind=TypeError),
)
group_norm.cases = (
    Case("sequences", ((2, 3, 4), (4,), (4,)), {"groups": 2}),
    Case("images in one group", ((2, 3, 2, 4), (4,), (4,)), {"groups": 1, "eps": 1e-3}),
    Case("without space", ((3, 6), (6,), (6,)), {"groups": 2}),
    Case("no examples", ((0, 2, 4), (4,), (4,)), {"groups": 2}),
    rejects("groups 3 does not divide 4 channels", (2, 3, 4), (4,), (4,), groups=3),
    rejects("groups 0 must be at least 1", (2, 3, 4), (4,), (4,), groups=0),
    rejects("groups 2.0 must be an integer", (2, 4), (4,), (4,), groups=2.0, kind=TypeError),
    rejects("at least 2 axes", (4,), (4,), (4,), groups=2),
    rejects("has no cells", (2, 0, 4), (4,), (4,), groups=2),
    rejects("x holds int32", ints((2, 4)), (4,), (4,), groups=2, kind=TypeError),
)
rms_norm.cases = (
    Case("rows", ((4, 3), (3,))),
    Case("images", ((2, 3, 2, 4), (4,)), {"eps": 1e-3}),
    Case("zeros", (lambda rng: np.zeros((2, 3)), (3,)), {"eps": 1e-2}),
    Case("no examples", ((0, 3), (3,))),
    rejects(r"scale \(4,\) needs shape \(3,\)", (4, 3), (4,)),
    rejects("eps 0.0 must be positive", (4, 3), (3,), eps=0.0),
    rejects("has no features", (4, 0), (0,)),
    rejects("x holds int32", ints((4, 3)), (3,), kind=TypeError),
)
layer_norm.cases += extremes((3, 6), (6,), (6,))
instance_norm.cases += extremes((2, 6, 2), (2,), (2,))
group_norm.cases += extremes((2, 3, 4), (4,), (4,), groups=2)
rms_norm.cases += extremes((3, 6), (6,))
instance_norm.torch_difference = (
    "torch rejects an input of a single cell, and its gradient for a single example is wrong where "
    "y is transposed in memory (torch 2.13, CPU); the test has at least two cells and two examples"
)
