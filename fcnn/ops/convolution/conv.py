"""Convolution over any number of spatial axes.

For one spatial axis and one group, with output position p, tap i, stride s, dilation d and lo cells
of padding before the first cell of x, where x counts as 0,

    y[n,p,o]  = b[o] + sum_{i,c} x[n, s p + d i - lo, c] w[i,c,o]

With more axes, p, i, s, d and lo are vectors. With more groups, each group convolves its part of
the channels c to its part of the features o. y is linear in x and in w, so each gradient sums the
same products over other indices:

    dx[n,u,c] = sum_{p,i,o} dy[n,p,o] w[i,c,o]     over all p, i with s p + d i - lo = u
    dw[i,c,o] = sum_{n,p}   x[n, s p + d i - lo, c] dy[n,p,o]
    db[o]     = sum_{n,p}   dy[n,p,o]

dx is the full correlation of dy, dilated by s, with w flipped and its channels and features
exchanged. If the padding copies cells (`padding.py`), x in these sums is the padded input. The
gradient of the padded input is then folded: each cell sums the gradients of all its copies. x and w
are saved. Copies of windows are not saved: making them again costs less than storing them.
"""

from jaxtyping import Array, Float

from fcnn.ops.case import Case, extreme, ints, normals, rejects
from fcnn.ops.convolution.dispatch import IMPLS, compute, require_supported
from fcnn.ops.convolution.padding import fold_cells, pad_cells, split_padding, validate_mode
from fcnn.ops.op import operator
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
    """Convolve a batch with a bank of filters (cross-correlation: the kernel is not flipped).

    Shapes: x (n, *size, c), w (*window, c / groups, o), b (o) -> y (n, *out, o),
            out = floor((size + lo + hi - dilation (window - 1) - 1) / stride) + 1 per axis.
            There may be any number of spatial axes.
    Options:
        stride: step between windows in cells, one int or one per axis; 1.
        padding: amount (lo, hi) per axis: an int, a sequence of ints or pairs, "valid" (none),
            "same" (out = ceil(size / stride); hi is lo or lo + 1), "same_lower" (the same out; lo
            is hi or hi + 1), "causal" (all padding before the first cell) or "full" (every window
            that overlaps x); "valid".
        padding_mode: content of the padding: "zeros", "reflect", "edge" or "wrap"; "zeros".
        dilation: step between taps of a window in cells, one int or one per axis; 1.
        groups: channels and features are split into this many independent convolutions; 1.
        impl: program that computes y and the gradients; "auto". Timings are in docs/speed.md.
            "auto"         on CPU, chosen by shape in `dispatch.py`; on other devices, "lax"
            "lax"          XLA's convolution and XLA's own two gradients
            "lax_forward"  XLA's forward convolution for y, dx and dw: fast in lax.scan too
            "im2col"       all windows as rows of one matrix, and a matrix product
            "tiled"        im2col along the last axis only, in tiles that fit the cache
            "taps"         one product per tap of the window: depthwise, 1×1, few channels
            "winograd"     fewer multiplications; windows of 3, stride 1 and dilation 1 only
            "fft"          Fourier transforms: large windows; up to 3 spatial axes
    Units:  y and b are in units of x times units of w. stride, padding and dilation are in cells.
            Products are summed in float32 for 16-bit inputs. Rounding errors of "fft" are relative
            to the largest entry. With "fft", one infinity or NaN in x makes its whole example NaN.
            With "winograd", an infinity in x can give NaN where a direct sum gives an infinity.
    Raises: ValueError if ranks, channels or groups disagree, no window fits, padding_mode has too
            few cells to copy, or `impl` does not support these windows; TypeError if x, w or b
            hold integers.
    Cost:   With N = n prod(out) prod(window) c o / groups:

            impl                multiply-adds               extra memory
            lax, lax_forward    N                           chosen by XLA
            im2col              N                           n prod(out) prod(window) c numbers
            tiled               N                           2 MB
            taps                N                           none
            winograd            (2/3)^rank N                some MB, and (4/3)^rank times w
            fft                 n c o / groups per cell     transforms of x, w and y

            Under vmap over a symbolic axis, as in `jax.export`, "auto" and "lax" have no gradient
            for w; write impl="lax_forward".
    Source: im2col: Chellapilla et al. 2006; gradients: Dumoulin & Visin, arXiv:1603.07285, ch. 4;
            Winograd: Lavin & Gray, arXiv:1509.09308; Fourier: Mathieu et al., arXiv:1312.5851.

    >>> x = jnp.array([1.0, 2.0, 4.0, 8.0]).reshape(1, 4, 1)
    >>> difference = jnp.array([-1.0, 1.0]).reshape(2, 1, 1)
    >>> fcnn.conv(x, difference).ravel()
    Array([1., 2., 4.], dtype=float32)
    """
    pairs, geometry = _geometry(x, w, stride, padding, padding_mode, dilation)
    x_padded = pad_cells(x, pairs, padding_mode)
    y = compute("forward", impl, x_padded, w, geometry=geometry, groups=groups)
    return add_bias(y, b).astype(x.dtype)


@conv.fwd
def conv_fwd(x, w, b, **options):
    return conv.forward(x, w, b, **options), (x, w, b)


@conv.bwd
def conv_bwd(saved, dy, *, stride, padding, padding_mode, dilation, groups, impl):
    x, w, b = saved
    pairs, geometry = _geometry(x, w, stride, padding, padding_mode, dilation)
    dx = compute("dx", impl, w, dy, geometry=geometry, groups=groups)
    x_padded = pad_cells(x, pairs, padding_mode)
    dw = compute("dw", impl, x_padded, dy, geometry=geometry, groups=groups)
    db = None if b is None else dy.sum(tuple(range(dy.ndim - 1)))
    return fold_cells(dx, pairs, padding_mode).astype(x.dtype), dw.astype(w.dtype), db


def add_bias(y, b):
    """y + b in the dtype of y, or y if b is None."""
    return y if b is None else y + b.astype(y.dtype).reshape((1,) * (y.ndim - 1) + (-1,))


def _geometry(x, w, stride, padding, padding_mode, dilation):
    """Cells (lo, hi) to copy at the ends of each axis, and the windows on the padded input."""
    geometry = windows(x.shape[1:-1], w.shape[:-2], stride, padding, dilation)
    return split_padding(geometry, padding_mode)


conv.choose_from(*IMPLS)


@conv.validate
def _validate(x, w, b, *, stride, padding, padding_mode, dilation, groups, impl):
    require_floats(x=x, w=w, b=b)
    require_rank(3, w=w)
    require(x.ndim == w.ndim, f"x {x.shape} and w {w.shape} need the same number of axes")
    require(0 not in w.shape, f"w {w.shape} must have channels, features and taps")
    c, o = w.shape[-2:]
    require_counts(groups=groups)
    require(o % groups == 0, f"groups {groups} does not divide w's {o} features")
    takes = f"w {w.shape} takes {c}" + (f" in each of {groups} groups" if groups > 1 else "")
    require(x.shape[-1] == c * groups, f"x {x.shape} has {x.shape[-1]} channels but {takes}")
    require(b is None or b.shape == (o,), f"b {b is None or b.shape} needs shape ({o},)")
    geometry = windows(x.shape[1:-1], w.shape[:-2], stride, padding, dilation)
    validate_mode(geometry, padding_mode)
    require_supported(impl, geometry, groups)


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
    Case("ragged", ((1, 8, 5, 2), (3, 2, 2, 3), (3,)), {"stride": (3, 2)}),  # last cells unused
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
        "b of opposite sign",
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
    rejects("x is None; it must be an array", None, (2, 1, 1), None, kind=TypeError),
    rejects("too many positional", (1, 4, 1), (2, 1, 1), None, (3,), kind=TypeError),
    rejects("the same number of axes", (8, 8, 3), (3, 3, 3, 4), None),
    rejects("at least 3 axes", (8, 3), (3, 4), None),
    rejects(r"b \(3,\) needs shape \(4,\)", (1, 8, 8, 3), (3, 3, 3, 4), (3,)),
    rejects(r"effective window \(5, 3\) exceeds", (1, 4, 4, 1), (5, 3, 1, 1), None),
    rejects(r"stride \(0, 0\) must be", (1, 4, 4, 1), (2, 2, 1, 1), None, stride=0),
    rejects(
        "needs length 2: one entry per spatial axis", (1, 4, 4, 1), (2, 2, 1, 1), None, stride=(1,)
    ),
    rejects(
        "unknown padding 'sane'; expected one of", (1, 4, 4, 1), (2, 2, 1, 1), None, padding="sane"
    ),
    rejects("must be pairs of integers", (1, 4, 4, 1), (2, 2, 1, 1), None, padding=-1),
    rejects(
        "reflect padding of an axis of 4 cells is at most 3, not 4",
        (1, 4, 9, 1),
        (5, 5, 1, 1),
        None,
        padding="full",
        padding_mode="reflect",
    ),
    rejects(
        "wrap padding of an axis of 2 cells is at most 2, not 3",
        (1, 2, 1),
        (2, 1, 1),
        None,
        padding=((0, 3),),
        padding_mode="wrap",
    ),
    rejects(
        "unknown padding_mode 'mirror'; expected one of",
        (1, 4, 1),
        (2, 1, 1),
        None,
        padding_mode="mirror",
    ),
    rejects(
        r"impl 'winograd' supports windows of 3 .*, not windows of \(3, 2\) at stride",
        (1, 4, 4, 1),
        (3, 2, 1, 1),
        None,
        impl="winograd",
    ),
    rejects(
        "impl 'fft' supports up to 3 spatial axes, not 4",
        (1, 2, 2, 2, 2, 1),
        (1, 1, 1, 1, 1, 1),
        None,
        impl="fft",
    ),
    rejects("unknown impl 'fast'; expected one of", (1, 4, 4, 1), (2, 2, 1, 1), None, impl="fast"),
    rejects("x holds int32, not floats", ints((1, 4, 4, 1)), (2, 2, 1, 1), None, kind=TypeError),
)
