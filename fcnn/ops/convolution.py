"""Convolution over any number of spatial axes.

Written for one axis and one group; with more, p, i, s, d and lo become vectors, and group g sees
only its own channels c and features o. Outside the image x is 0.

    y[n,p,o]  = b[o] + sum_{i,c} x[n, s p + d i - lo, c] w[i,c,o]

The sum is linear in x and in w, so each gradient is that sum with other indices left free:

    dx[n,u,c] = sum_{p,i,o} dy[n,p,o] w[i,c,o]     over all p, i with s p + d i - lo = u
    dw[i,c,o] = sum_{n,p}   x[n, s p + d i - lo, c] dy[n,p,o]
    db[o]     = sum_{n,p}   dy[n,p,o]

dx is the full correlation of dy, dilated by s, with the flipped kernel, its channels exchanged.
Saved are x and w: patches cost less to read again than to keep.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
from jaxtyping import Array, Float

from fcnn.ops import native, patches, tiles
from fcnn.ops.op import Case, ints, operator, refused
from fcnn.ops.refusal import require, require_floats, require_integers, require_rank
from fcnn.ops.window import Axes, Padding, windows

LARGEST = 225  # taps, 15×15: im2col is a program of one slice per tap, and slow to compile beyond


@operator()
def conv(
    x: Float[Array, "n *size c"],
    w: Float[Array, "*window c_per_group o"],
    b: Float[Array, " o"] | None = None,
    *,
    stride: Axes = 1,
    padding: Padding = "valid",
    dilation: Axes = 1,
    groups: int = 1,
    impl: str = "auto",
) -> Float[Array, "n *out o"]:
    """Slide a bank of filters over a batch (cross-correlation, as is the custom in this field).

    Shapes: out = floor((size + lo + hi - dilation (window - 1) - 1) / stride) + 1 per axis; the
            number of spatial axes comes from w. `padding` is an int, a pair per axis, "valid",
            "same", "same_lower", "causal" or "full".
    Units:  y and b are in units of x times units of w; stride, padding and dilation are in cells.
    Raises: ValueError if ranks, channels or groups disagree or no window fits; TypeError for
            integers.
    Cost:   n prod(out) prod(window) c o / groups multiply-adds. "im2col" also holds
            n prod(out) prod(window) c numbers, "tiled" about a megabyte; "lax" is XLA's own. "auto"
            is "tiled" on CPU for windows of up to 225 taps, and "lax" elsewhere.
    Source: im2col: Chellapilla et al. 2006; gradients: Dumoulin & Visin, arXiv:1603.07285, ch. 4.
    """
    at = windows("conv", x.shape[1:-1], w.shape[:-2], stride, padding, dilation)
    y = _run("forward", impl, x, w, at=at, groups=groups)
    return y if b is None else y + b.reshape((1,) * (y.ndim - 1) + (-1,))


@conv.fwd
def conv_fwd(x, w, b, **options):
    return conv.forward(x, w, b, **options), (x, w, b)


@conv.bwd
def conv_bwd(saved, dy, *, stride, padding, dilation, groups, impl):
    x, w, b = saved
    at = windows("conv", x.shape[1:-1], w.shape[:-2], stride, padding, dilation)
    dx = _run("dx", impl, w, dy, at=at, groups=groups)
    dw = _run("dw", impl, x, dy, at=at, groups=groups)
    return dx, dw, None if b is None else dy.sum(tuple(range(dy.ndim - 1)))


def _run(part, impl, *arrays, **options):
    """One of the three sums, `part`, by the implementation asked for."""
    run = {name: partial(getattr(i, part), **options) for name, i in IMPLS.items()}
    if impl == "auto" and math.prod(options["at"].window) > LARGEST:
        impl = "lax"
    if impl == "auto":  # on CPU, lax leaves XLA's fast path inside any loop and under vmap
        return jax.lax.platform_dependent(*arrays, cpu=run["tiled"], default=run["lax"])
    return run[impl](*arrays)


class Implementation(NamedTuple):
    """The three sums: y from x and w, dx from w and dy, dw from x and dy."""

    forward: Callable
    dx: Callable
    dw: Callable


IMPLS = {
    "lax": Implementation(native.forward, native.dx, native.dw),
    "im2col": Implementation(patches.forward, patches.dx, patches.dw),
    "tiled": Implementation(tiles.forward, tiles.dx, tiles.dw),
}
conv.choose_from(*IMPLS)


@conv.check
def _check(x, w, b, *, stride, padding, dilation, groups, impl):
    require_floats("conv", x=x, w=w, b=b)
    require_rank("conv", 3, w=w)
    require(x.ndim == w.ndim, f"conv: x {x.shape} and w {w.shape} need the same number of axes")
    require(0 not in w.shape, f"conv: w {w.shape} must have channels, features and taps")
    c, o = w.shape[-2:]
    require_integers("conv", groups=groups)
    require(
        groups >= 1 and o % groups == 0, f"conv: groups {groups} does not divide w's {o} features"
    )
    takes = f"w {w.shape} takes {c}" + (f" in each of {groups} groups" if groups > 1 else "")
    require(x.shape[-1] == c * groups, f"conv: x {x.shape} has {x.shape[-1]} channels but {takes}")
    require(b is None or b.shape == (o,), f"conv: b {b is None or b.shape} needs shape ({o},)")
    windows("conv", x.shape[1:-1], w.shape[:-2], stride, padding, dilation)


conv.cases = (
    Case("plain", ((2, 5, 6, 3), (3, 2, 3, 4), (4,))),
    Case(
        "strided",
        ((2, 7, 6, 3), (3, 3, 3, 4), None),
        {"stride": (2, 3), "padding": ((1, 2), (0, 3))},
    ),
    Case("ragged", ((1, 8, 5, 2), (3, 2, 2, 3), (3,)), {"stride": (3, 2)}),  # last row unused
    Case("dilated", ((2, 7, 8, 2), (3, 2, 2, 3), (3,)), {"dilation": (2, 3), "padding": "same"}),
    Case("grouped", ((2, 5, 4, 4), (3, 3, 2, 6), (6,)), {"groups": 2, "padding": 1, "stride": 2}),
    Case("depthwise", ((2, 4, 4, 3), (2, 2, 1, 3), None), {"groups": 3, "padding": "full"}),
    Case("causal 1-D", ((2, 7, 2), (3, 2, 3), (3,)), {"padding": "causal", "dilation": 2}),
    Case(
        "3-D",
        ((1, 4, 3, 4, 2), (2, 3, 2, 2, 2), (2,)),
        {"padding": "same_lower", "stride": (2, 1, 1)},
    ),
    Case("one pixel", ((1, 1, 1, 1), (1, 1, 1, 1), (1,))),
    Case("many tiles", ((5, 16, 16, 28), (3, 3, 28, 2), (2,)), {"padding": 1}),
    Case("no examples", ((0, 4, 4, 2), (3, 3, 2, 2), (2,))),
    refused("has 3 channels but w .* takes 1", (1, 8, 8, 3), (3, 3, 1, 16), None),
    refused("takes 1 in each of 2 groups", (1, 8, 8, 3), (3, 3, 1, 4), None, groups=2),
    refused("groups 3 does not divide w's 4", (1, 8, 8, 3), (3, 3, 1, 4), None, groups=3),
    refused("groups 0 does not divide", (1, 8, 8, 3), (3, 3, 1, 4), None, groups=0),
    refused(
        "groups 2.0 must be an integer",
        (1, 8, 8, 2),
        (3, 3, 1, 4),
        None,
        groups=2.0,
        kind=TypeError,
    ),
    refused("must have channels", (1, 8, 8, 0), (3, 3, 0, 4), None),
    refused(
        "stride 1.5 must be an integer", (1, 4, 1), (2, 1, 1), None, stride=1.5, kind=TypeError
    ),
    refused("x is missing", None, (2, 1, 1), None, kind=TypeError),
    refused("too many positional", (1, 4, 1), (2, 1, 1), None, (3,), kind=TypeError),
    refused("the same number of axes", (8, 8, 3), (3, 3, 3, 4), None),
    refused("at least 3 axes", (8, 3), (3, 4), None),
    refused(r"b \(3,\) needs shape \(4,\)", (1, 8, 8, 3), (3, 3, 3, 4), (3,)),
    refused(r"reaching \(5, 3\) exceeds", (1, 4, 4, 1), (5, 3, 1, 1), None),
    refused(r"stride \(0, 0\) must be", (1, 4, 4, 1), (2, 2, 1, 1), None, stride=0),
    refused("needs 2, one per spatial axis", (1, 4, 4, 1), (2, 2, 1, 1), None, stride=(1,)),
    refused("padding 'sane' is none of", (1, 4, 4, 1), (2, 2, 1, 1), None, padding="sane"),
    refused("must be pairs of numbers", (1, 4, 4, 1), (2, 2, 1, 1), None, padding=-1),
    refused("impl is one of .* not 'fast'", (1, 4, 4, 1), (2, 2, 1, 1), None, impl="fast"),
    refused("x holds int32, not floats", ints((1, 4, 4, 1)), (2, 2, 1, 1), None, kind=TypeError),
)
