"""Convolution over any number of spatial axes.

Written for one axis and one group; with more, p, i, s, d and lo become vectors, and group g sees
only its own channels c and features o. Outside the image x is 0.

    y[n,p,o]  = b[o] + sum_{i,c} x[n, s p + d i - lo, c] w[i,c,o]

The sum is linear in x and in w, so each gradient is that sum with other indices left free:

    dx[n,u,c] = sum_{p,i,o} dy[n,p,o] w[i,c,o]     over all p, i with s p + d i - lo = u
    dw[i,c,o] = sum_{n,p}   x[n, s p + d i - lo, c] dy[n,p,o]
    db[o]     = sum_{n,p}   dy[n,p,o]

dx is the full correlation of dy, dilated by s, with the flipped kernel, its channels exchanged.
Where the image is padded with cells of its own (`padding.py`), x above stands for the padded image,
and its dx is folded back: what was read twice sums both. Saved are x and w: patches cost less to
read again than to keep.
"""

from jaxtyping import Array, Float

from fcnn.ops.convolution import padding as border
from fcnn.ops.convolution.dispatch import IMPLS, compute, require_served
from fcnn.ops.op import Case, extreme, ints, normals, operator, rejects
from fcnn.ops.validation import require, require_counts, require_floats, require_rank
from fcnn.ops.window import Axes, Padding, windows


@operator()
def conv(
    x: Float[Array, "n *size c"],
    w: Float[Array, "*window c_per_group o"],
    b: Float[Array, " o"] | None = None,
    *,
    stride: Axes = 1,
    padding: Padding = "valid",
    padding_mode: str = "zeros",
    dilation: Axes = 1,
    groups: int = 1,
    impl: str = "auto",
) -> Float[Array, "n *out o"]:
    """Slide a bank of filters over a batch (cross-correlation, as is the custom in this field).

    Shapes: out = floor((size + lo + hi - dilation (window - 1) - 1) / stride) + 1 per axis; the
            number of spatial axes comes from w. `padding` is an int, a pair per axis, "valid",
            "same", "same_lower", "causal" or "full", and says how much; `padding_mode` is "zeros",
            "reflect", "edge" or "wrap", and says with what.
    Units:  y and b are in units of x times units of w; stride, padding and dilation are in cells.
    Raises: ValueError if ranks, channels or groups disagree, no window fits, there is more padding
            than cells to read, or `impl` cannot serve such windows; TypeError for integers.
    Cost:   n prod(out) prod(window) c o / groups multiply-adds by "lax" (XLA's own), "direct"
            (XLA's forward one alone, in loops as fast as outside of them), "im2col",
            which also holds n prod(out) prod(window) c numbers, "tiled", which holds two megabytes
            of them, and "taps", which holds none. "winograd" makes do with 4/9 of the
            multiply-adds on an image (2/3 of them along every axis), for windows of 3 at stride 1,
            and holds some megabytes and its transform of w, 16/9 as large; "fft" with n c o /
            groups for each cell, whatever the window; its rounding is of the size of the largest
            cell, and one that is not finite spoils an example ("winograd": two places an axis).
            "auto" is "lax", but on CPU it goes by the table in `dispatch.py`. Under vmap over a
            symbolic axis, as in `jax.export`, "lax" has no gradient for w; "direct" has.
    Source: im2col: Chellapilla et al. 2006; gradients: Dumoulin & Visin, arXiv:1603.07285, ch. 4;
            Winograd: Lavin & Gray, arXiv:1509.09308; Fourier: Mathieu et al., arXiv:1312.5851.
    """
    pairs, geometry = _places(x, w, stride, padding, padding_mode, dilation)
    y = compute(
        "forward", impl, border.pad(x, pairs, padding_mode), w, geometry=geometry, groups=groups
    )
    return plus(y, b).astype(x.dtype)


@conv.fwd
def conv_fwd(x, w, b, **options):
    return conv.forward(x, w, b, **options), (x, w, b)


@conv.bwd
def conv_bwd(saved, dy, *, stride, padding, padding_mode, dilation, groups, impl):
    x, w, b = saved
    pairs, geometry = _places(x, w, stride, padding, padding_mode, dilation)
    dx = compute("dx", impl, w, dy, geometry=geometry, groups=groups)
    dw = compute(
        "dw", impl, border.pad(x, pairs, padding_mode), dy, geometry=geometry, groups=groups
    )
    db = None if b is None else dy.sum(tuple(range(dy.ndim - 1)))
    return border.fold(dx, pairs, padding_mode).astype(x.dtype), dw.astype(w.dtype), db


def plus(y, b):
    """y + b, if there is a b, in the dtype of y."""
    return y if b is None else y + b.astype(y.dtype).reshape((1,) * (y.ndim - 1) + (-1,))


def _places(x, w, stride, padding, padding_mode, dilation):
    """What to pad x by with cells of its own, and the windows on the image that this gives."""
    geometry = windows("conv", x.shape[1:-1], w.shape[:-2], stride, padding, dilation)
    return border.split(geometry, padding_mode)


conv.choose_from(*IMPLS)


@conv.validate
def _validate(x, w, b, *, stride, padding, padding_mode, dilation, groups, impl):
    require_floats("conv", x=x, w=w, b=b)
    require_rank("conv", 3, w=w)
    require(x.ndim == w.ndim, f"conv: x {x.shape} and w {w.shape} need the same number of axes")
    require(0 not in w.shape, f"conv: w {w.shape} must have channels, features and taps")
    c, o = w.shape[-2:]
    require_counts("conv", groups=groups)
    require(o % groups == 0, f"conv: groups {groups} does not divide w's {o} features")
    takes = f"w {w.shape} takes {c}" + (f" in each of {groups} groups" if groups > 1 else "")
    require(x.shape[-1] == c * groups, f"conv: x {x.shape} has {x.shape[-1]} channels but {takes}")
    require(b is None or b.shape == (o,), f"conv: b {b is None or b.shape} needs shape ({o},)")
    geometry = windows("conv", x.shape[1:-1], w.shape[:-2], stride, padding, dilation)
    border.check("conv", geometry, padding_mode)
    require_served("conv", impl, geometry, groups)


conv.cases = (
    Case(
        "causal 1-D, reflected",
        ((2, 5, 2), (3, 2, 3), (3,)),
        {"padding": "causal", "padding_mode": "reflect", "dilation": 2},
    ),
    Case("plain", ((2, 5, 6, 3), (3, 2, 3, 4), (4,))),
    Case(
        "strided",
        ((2, 7, 6, 3), (3, 3, 3, 4), None),
        {"stride": (2, 3), "padding": ((1, 2), (0, 3))},
    ),
    Case("ragged", ((1, 8, 5, 2), (3, 2, 2, 3), (3,)), {"stride": (3, 2)}),  # last row unused
    Case(
        "dilated, wrapped",
        ((2, 7, 8, 2), (3, 2, 2, 3), (3,)),
        {"dilation": (2, 3), "padding": "same", "padding_mode": "wrap"},
    ),
    Case("grouped", ((2, 5, 4, 4), (3, 3, 2, 6), (6,)), {"groups": 2, "padding": 1, "stride": 2}),
    Case("depthwise", ((2, 4, 4, 3), (2, 2, 1, 3), None), {"groups": 3, "padding": "full"}),
    Case(
        "3-D, edge",
        ((1, 4, 1, 4, 2), (2, 3, 2, 2, 2), (2,)),
        {"padding": "same_lower", "padding_mode": "edge", "stride": (2, 1, 1)},
    ),
    Case("3×3", ((1, 5, 3, 2), (3, 3, 2, 1), None), {"padding": ((1, 0), (1, 2))}),
    Case("one pixel", ((1, 1, 1, 1), (1, 1, 1, 1), (1,))),
    extreme("huge", normals((1, 5, 2), 1e9), (3, 2, 2), (2,)),
    extreme("tiny", normals((1, 5, 2), 1e-6), (3, 2, 2), (2,)),
    extreme(
        "b is opposite",
        normals((1, 5, 2), 0, 6e4),
        normals((3, 2, 2), 0, 0.25),
        normals((2,), 0, -6e4),
    ),
    Case("many tiles", ((5, 32, 32, 28), (3, 3, 28, 2), (2,)), {"padding": 1}),
    Case("no examples", ((0, 4, 4, 2), (3, 3, 2, 2), (2,))),
    rejects("has 3 channels but w .* takes 1", (1, 8, 8, 3), (3, 3, 1, 16), None),
    rejects("takes 1 in each of 2 groups", (1, 8, 8, 3), (3, 3, 1, 4), None, groups=2),
    rejects("groups 3 does not divide w's 4", (1, 8, 8, 3), (3, 3, 1, 4), None, groups=3),
    rejects("groups 0 must be at least 1", (1, 8, 8, 3), (3, 3, 1, 4), None, groups=0),
    rejects(
        "groups 2.0 must be an integer",
        (1, 8, 8, 2),
        (3, 3, 1, 4),
        None,
        groups=2.0,
        kind=TypeError,
    ),
    rejects(
        r"groups \(1,\) must be an integer",
        (1, 8, 8, 2),
        (3, 3, 2, 4),
        None,
        groups=(1,),
        kind=TypeError,
    ),
    rejects("must have channels", (1, 8, 8, 0), (3, 3, 0, 4), None),
    rejects(
        "stride 1.5 must be an integer", (1, 4, 1), (2, 1, 1), None, stride=1.5, kind=TypeError
    ),
    rejects("x is missing", None, (2, 1, 1), None, kind=TypeError),
    rejects("too many positional", (1, 4, 1), (2, 1, 1), None, (3,), kind=TypeError),
    rejects("the same number of axes", (8, 8, 3), (3, 3, 3, 4), None),
    rejects("at least 3 axes", (8, 3), (3, 4), None),
    rejects(r"b \(3,\) needs shape \(4,\)", (1, 8, 8, 3), (3, 3, 3, 4), (3,)),
    rejects(r"reaching \(5, 3\) exceeds", (1, 4, 4, 1), (5, 3, 1, 1), None),
    rejects(r"stride \(0, 0\) must be", (1, 4, 4, 1), (2, 2, 1, 1), None, stride=0),
    rejects("needs 2, one per spatial axis", (1, 4, 4, 1), (2, 2, 1, 1), None, stride=(1,)),
    rejects("padding 'sane' is none of", (1, 4, 4, 1), (2, 2, 1, 1), None, padding="sane"),
    rejects("must be pairs of numbers", (1, 4, 4, 1), (2, 2, 1, 1), None, padding=-1),
    rejects(
        "reflect padding of 4 cells is at most 3, not 4",
        (1, 4, 9, 1),
        (5, 5, 1, 1),
        None,
        padding="full",
        padding_mode="reflect",
    ),
    rejects(
        "wrap padding of 2 cells is at most 2, not 3",
        (1, 2, 1),
        (2, 1, 1),
        None,
        padding=((0, 3),),
        padding_mode="wrap",
    ),
    rejects("padding_mode 'mirror' is none of", (1, 4, 1), (2, 1, 1), None, padding_mode="mirror"),
    rejects(
        r"impl 'winograd' serves windows of 3 along every axis, .* not of \(3, 2\) at stride",
        (1, 4, 4, 1),
        (3, 2, 1, 1),
        None,
        impl="winograd",
    ),
    rejects(
        "impl 'fft' transforms up to 3 spatial axes, not 4",
        (1, 2, 2, 2, 2, 1),
        (1, 1, 1, 1, 1, 1),
        None,
        impl="fft",
    ),
    rejects("unknown impl 'fast'; expected one of", (1, 4, 4, 1), (2, 2, 1, 1), None, impl="fast"),
    rejects("x holds int32, not floats", ints((1, 4, 4, 1)), (2, 2, 1, 1), None, kind=TypeError),
)
