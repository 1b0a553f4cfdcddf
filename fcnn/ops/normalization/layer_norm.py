"""Normalization by the statistics of one example: subtract a mean, divide by a deviation.

With m and v the mean and the (biased, two-pass) variance of the entries that are pooled together,

    r = 1 / sqrt(v + eps)      z = (x - m) r      y = scale z + bias

The rounding of m would move all z that share it by up to eps |m| r: by 0.03 for 1000 ± 0.005 in
float32. So the mean of what is left is subtracted too: f = mean(x - m) and d = x - m - f. Without
rounding f is 0, so that no gradient goes through it. Each entry moves its own z and, through m and
v, all the others:

    dz = scale dy
    dx = r (dz - mean(dz) - z mean(dz z))
    dscale = sum dy z          dbias = sum dy

with every mean over the pooled entries, every sum over all that share a scale. x, m, f, r and
scale are saved: z is three operations from those, and a z rounded to half precision would not
cancel with dz where dx is small. Pooled are, for each example,

    layer       its last axis                  group    space, and neighbouring channels
    instance    space, for each channel        batch    see `batch.py`

RMS normalization is that of a layer with m = 0, so without mean(dz), and without bias.

Raises: ValueError if shapes disagree or eps <= 0; TypeError for integers.
Cost:   about 10 operations per entry forward, 11 back.
"""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

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
from fcnn.ops.validation import require, require_counts, require_rank


@operator()
def layer_norm(
    x: Float[Array, "*n c"], scale: C, bias: C, *, eps: float = 1e-5
) -> Float[Array, "*n c"]:
    """Normalize each example over its features, the last axis.

    Shapes: any number of axes before the last.
    Units:  x's own in, plain numbers out, then those of scale and bias. Where the variance
            overflows, from about |x| = 1e19 in float32, z is 0 and so is the gradient for x. Where
            the sum of x overflows, y is NaN.
    Source: Ba, Kiros & Hinton, arXiv:1607.06450.
    """
    return layer_norm.fwd_rule(x, scale, bias, eps=eps)[0]


@operator()
def instance_norm(
    x: Float[Array, "n *size c"], scale: C, bias: C, *, eps: float = 1e-5
) -> Float[Array, "n *size c"]:
    """Normalize each channel of each example over space.

    Shapes: at least one spatial axis.
    Units:  x's own in, plain numbers out, then those of scale and bias. Where the variance
            overflows, from about |x| = 1e19 in float32, z is 0 and so is the gradient for x. Where
            the sum of x overflows, y is NaN.
    Source: Ulyanov, Vedaldi & Lempitsky, arXiv:1607.08022.
    """
    return instance_norm.fwd_rule(x, scale, bias, eps=eps)[0]


@operator()
def group_norm(
    x: Float[Array, "n *size c"], scale: C, bias: C, *, groups: int, eps: float = 1e-5
) -> Float[Array, "n *size c"]:
    """Normalize each group of neighbouring channels of each example, over space too.

    Shapes: groups divides c; one group pools all of an example, c groups are `instance_norm`.
    Units:  x's own in, plain numbers out, then those of scale and bias. Where the variance
            overflows, from about |x| = 1e19 in float32, z is 0 and so is the gradient for x. Where
            the sum of x overflows, y is NaN.
    Source: Wu & He, arXiv:1803.08494.
    """
    return group_norm.fwd_rule(x, scale, bias, groups=groups, eps=eps)[0]


def _grouped(x, groups):
    return x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups)


SEEN = {  # the view of x to normalize, and which of its axes are pooled
    layer_norm: lambda x: (x, (-1,)),
    instance_norm: lambda x: (x, tuple(range(1, x.ndim - 1))),
    group_norm: lambda x, groups: (_grouped(x, groups), (*range(1, x.ndim - 1), -1)),
}


def _normalizing(op, seen):
    def fwd(x, scale, bias, *, eps, **options):
        view, pooled = seen(x.astype(accumulation_dtype(x.dtype)), **options)
        m = view.mean(pooled, keepdims=True)
        f = lax.stop_gradient((view - m).mean(pooled, keepdims=True))
        d = view - m - f
        r = lax.rsqrt(jnp.square(d).mean(pooled, keepdims=True) + eps)
        return scaled(scale, (d * r).reshape(x.shape), bias), (x, m, f, r, scale)

    def bwd(saved, dy, *, eps, **options):
        x, m, f, r, scale = saved
        dtype, (x, scale, dy) = dy.dtype, as_long_as(r, x, scale, dy)
        dz, pooled = seen(row(scale, x) * dy, **options)
        mean = lambda a: a.mean(pooled, keepdims=True)
        z = (seen(x, **options)[0] - m - f) * r
        dx = (r * (dz - mean(dz) - z * mean(dz * z))).reshape(dy.shape)
        return tuple(g.astype(dtype) for g in (dx, *of_scale_and_bias(z.reshape(dy.shape), dy)))

    op.fwd(fwd)
    op.bwd(bwd)


for op, seen in SEEN.items():
    _normalizing(op, seen)


@layer_norm.validate
def _validate_layer(x, scale, bias, *, eps):
    require_channels("layer_norm", x, eps, scale=scale, bias=bias)


@instance_norm.validate
def _validate_instance(x, scale, bias, *, eps):
    require_channels("instance_norm", x, eps, scale=scale, bias=bias)
    require_rank("instance_norm", 3, x=x)
    _require_cells("instance_norm", x)


@group_norm.validate
def _validate_group(x, scale, bias, *, groups, eps):
    require_channels("group_norm", x, eps, scale=scale, bias=bias)
    require_rank("group_norm", 2, x=x)
    _require_cells("group_norm", x)
    require_counts("group_norm", groups=groups)
    fine = x.shape[-1] % groups == 0
    require(fine, f"group_norm: groups {groups} does not divide {x.shape[-1]} channels")


@operator()
def rms_norm(x: Float[Array, "*n c"], scale: C, *, eps: float = 1e-6) -> Float[Array, "*n c"]:
    """Divide each example by the root mean square of its features, the last axis.

    Shapes: any number of axes before the last.
    Units:  x's own in, plain numbers out, then those of scale. Where the mean square overflows,
            from about |x| = 1e19 in float32, y is 0 and so is the gradient for x.
    Source: Zhang & Sennrich, arXiv:1910.07467.
    """
    return rms_norm_fwd(x, scale, eps=eps)[0]


@rms_norm.fwd
def rms_norm_fwd(x, scale, *, eps):
    long = x.astype(accumulation_dtype(x.dtype))
    r = lax.rsqrt(jnp.square(long).mean(-1, keepdims=True) + eps)
    return scaled(scale, long * r), (x, r, scale)


@rms_norm.bwd
def rms_norm_bwd(saved, dy, *, eps):
    x, r, scale = saved
    dtype, (x, scale, dy) = dy.dtype, as_long_as(r, x, scale, dy)
    z, dz = x * r, row(scale, x) * dy
    dx = r * (dz - z * (dz * z).mean(-1, keepdims=True))
    dscale, _ = of_scale_and_bias(z, dy)
    return dx.astype(dtype), dscale.astype(dtype)


@rms_norm.validate
def _validate_rms(x, scale, *, eps):
    require_channels("rms_norm", x, eps, scale=scale)


def _require_cells(name, x):
    cells = 0 not in x.shape[1:]
    require(cells or x.shape[0] == 0, f"{name}: x {x.shape} has no cells to take statistics of")


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
    rejects("no cells to take statistics of", (2, 0, 3), (3,), (3,)),
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
    rejects("no cells to take statistics of", (2, 0, 4), (4,), (4,), groups=2),
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
    "refuses a single cell, and its gradient of a single example is wrong where memory is "
    "transposed (2.13): both are left out"
)
