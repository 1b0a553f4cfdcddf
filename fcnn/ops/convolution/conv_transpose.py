"""Transposed convolution: the adjoint of convolution, as an operator.

A convolution reads cell s p + d i - lo at output position p and tap i. Transposed convolution
writes to that cell: x is indexed by output positions p, and y by cells u. For one axis and one
group,

    y[n,u,o]  = b[o] + sum_{p,i,c} x[n,p,c] w[i,c,o]     over all p, i with s p + d i - lo = u

The sum is the input gradient of the convolution from o channels to c features whose kernel is w
with axes c and o exchanged. So dx is that convolution of dy, and dw is the gradient of its
kernel in that convolution:

    dx[n,p,c] = sum_{i,o} dy[n, s p + d i - lo, o] w[i,c,o]
    dw[i,c,o] = sum_{n,p} dy[n, s p + d i - lo, o] x[n,p,c]
    db[o]     = sum_{n,u} dy[n,u,o]

These are the three sums of `conv`, with the roles of x and y exchanged. x and w are saved.
"""

from jaxtyping import Array, Float

from fcnn.ops.case import Case, extreme, ints, normals, rejects
from fcnn.ops.convolution.conv import add_bias
from fcnn.ops.convolution.dispatch import IMPLS, compute, require_supported
from fcnn.ops.op import operator
from fcnn.ops.validation import require, require_counts, require_floats, require_rank
from fcnn.ops.window import Axes, Padding, windows_of_output


@operator()
def conv_transpose(
    x: Float[Array, "n *size c"],
    w: Float[Array, "*window c o_per_group"],
    b: Float[Array, " o"] | None = None,
    *,
    stride: Axes = 1,
    padding: Padding = "valid",
    output_padding: Axes = 0,
    dilation: Axes = 1,
    groups: int = 1,
    impl: str = "auto",
) -> Float[Array, "n *out o"]:
    """Transposed convolution: add w, times each cell of x, to windows of a larger grid.

    For b = 0 it is the adjoint of `conv` with the kernel w, whose last two axes are exchanged.

    Shapes: x (n, *size, c), w (*window, c, o / groups), b (o) -> y (n, *out, o), out =
            (size - 1) stride - (lo + hi) + dilation (window - 1) + 1 + output_padding per axis.
            The kernel is not flipped: tap i of w is added at dilation i cells after tap 0.
            PyTorch's kernel (c, o / groups, *window) has the same entries; flax's kernel is
            flipped.
    Options:
        stride: step in cells of y per cell of x, one int or one per axis; 1.
        padding: cells (lo, hi) cropped from the ends of y. `conv` with the same options adds these
            cells. An int, a sequence of ints or pairs, "valid" (none), "same" (out = size stride;
            hi is lo or lo + 1) or "same_lower" (out = size stride; lo is hi or hi + 1); "valid".
        output_padding: cells added to y at the end of each axis, fewer than stride. `conv` with
            the same options does not read these cells; 0.
        dilation: step between taps of a window in cells, one int or one per axis; 1.
        groups: channels and features are split into this many independent operators; 1.
        impl: program that computes y and the gradients, as for `conv`; "auto".
    Units:  y and b are in units of x times units of w. stride, padding and dilation are in cells.
    Raises: ValueError if ranks, channels or groups disagree, padding crops all of y, or `impl` does
            not support these windows; TypeError if x, w or b hold integers.
    Cost:   n prod(size) prod(window) c o / groups multiply-adds; memory as for `conv`.
    Source: Zeiler et al. 2010; Dumoulin & Visin, arXiv:1603.07285, ch. 4.

    >>> x = jnp.array([1.0, 2.0, 3.0]).reshape(1, 3, 1)
    >>> tent = jnp.array([0.5, 1.0, 0.5]).reshape(3, 1, 1)
    >>> fcnn.conv_transpose(x, tent, stride=2, padding=1).ravel()
    Array([1. , 1.5, 2. , 2.5, 3. ], dtype=float32)
    """
    geometry = _geometry(x, w, stride, padding, output_padding, dilation)
    y = compute("dx", impl, w.swapaxes(-1, -2), x, geometry=geometry, groups=groups)
    return add_bias(y, b).astype(x.dtype)


@conv_transpose.fwd
def conv_transpose_fwd(x, w, b, **options):
    return conv_transpose.forward(x, w, b, **options), (x, w, b)


@conv_transpose.bwd
def conv_transpose_bwd(saved, dy, *, stride, padding, output_padding, dilation, groups, impl):
    x, w, b = saved
    geometry = _geometry(x, w, stride, padding, output_padding, dilation)
    dx = compute("forward", impl, dy, w.swapaxes(-1, -2), geometry=geometry, groups=groups)
    dw = compute("dw", impl, dy, x, geometry=geometry, groups=groups).swapaxes(-1, -2)
    db = None if b is None else dy.sum(tuple(range(dy.ndim - 1)))
    return dx.astype(x.dtype), dw.astype(w.dtype), db


def _geometry(x, w, stride, padding, output_padding, dilation):
    """The windows on y of the convolution whose output positions are the cells of x."""
    out, window, options = x.shape[1:-1], w.shape[:-2], (stride, padding, dilation)
    return windows_of_output(out, window, *options, extra=output_padding)


conv_transpose.choose_from(*IMPLS)


@conv_transpose.validate
def _validate(x, w, b, *, stride, padding, output_padding, dilation, groups, impl):
    require_floats(x=x, w=w, b=b)
    require_rank(3, w=w)
    require(x.ndim == w.ndim, f"x {x.shape} and w {w.shape} need the same number of axes")
    require(0 not in w.shape, f"w {w.shape} must have channels, features and taps")
    require(0 not in x.shape[1:-1], f"x {x.shape} has no cells")
    require_counts(groups=groups)
    c, o = w.shape[-2], w.shape[-1] * groups
    require(c % groups == 0, f"groups {groups} does not divide {c} channels")
    has = f"x {x.shape} has {x.shape[-1]} channels"
    require(x.shape[-1] == c, f"{has} but w {w.shape} takes {c}")
    require(b is None or b.shape == (o,), f"b {b is None or b.shape} needs shape ({o},)")
    geometry = _geometry(x, w, stride, padding, output_padding, dilation)
    require_supported(impl, geometry, groups)


conv_transpose.cases = (
    Case("1-D", ((2, 4, 2), (3, 2, 3), None), {"stride": 2, "padding": 1, "dilation": 2}),
    Case("plain", ((2, 2, 3, 2), (3, 3, 2, 2), (2,))),
    extreme("huge", normals((1, 4, 2), 1e9), (3, 2, 1), (1,)),
    extreme(
        "b of opposite sign",
        normals((1, 4, 2), 0, 6e4),
        normals((3, 2, 1), 0, 0.5),
        normals((1,), 0, -6e4),
    ),
    Case(
        "strided, grouped",
        ((2, 3, 2, 4), (3, 2, 4, 3), (6,)),
        {"stride": (2, 3), "padding": ((1, 0), (0, 2)), "output_padding": (1, 2), "groups": 2},
    ),
    Case(
        "same",
        ((1, 3, 2, 2), (3, 1, 2, 3), (3,)),
        {"stride": (2, 3), "padding": "same", "dilation": (2, 1)},
    ),
    Case("no examples", ((0, 2, 2, 2), (2, 2, 2, 2), (2,))),
    rejects("has 3 channels but w .* takes 2", (1, 4, 3), (3, 2, 3), None),
    rejects("groups 3 does not divide 4 channels", (1, 4, 4), (3, 4, 3), None, groups=3),
    rejects("groups 'a' must be", (1, 4, 4), (3, 4, 3), None, groups="a", kind=TypeError),
    rejects("the same number of axes", (4, 4, 1, 1), (3, 1, 1), None),
    rejects("at least 3 axes", (4, 1), (3, 1), None),
    rejects("must have channels", (1, 4, 1), (0, 1, 1), None),
    rejects("has no cells", (1, 0, 1), (2, 1, 1), None),
    rejects(r"b \(3,\) needs shape \(4,\)", (1, 4, 2), (3, 2, 2), (3,), groups=2),
    rejects(r"output_padding \(2,\) must be less", (1, 4, 1), (3, 1, 1), None, output_padding=2),
    rejects(
        r"output_padding \(-1,\) must be at least 0", (1, 4, 1), (3, 1, 1), None, output_padding=-1
    ),
    rejects(
        r"'same' fixes the output size; omit output_padding \(1,\)",
        (1, 4, 1),
        (3, 1, 1),
        None,
        stride=2,
        padding="same",
        output_padding=1,
    ),
    rejects(
        "unknown padding 'causal'; expected one of", (1, 4, 1), (3, 1, 1), None, padding="causal"
    ),
    rejects(
        r"padding \(\(3, 3\),\) crops all of the output", (1, 4, 1), (3, 1, 1), None, padding=3
    ),
    rejects("'winograd' supports windows of 3", (1, 4, 1), (2, 1, 1), None, impl="winograd"),
    rejects("x holds int32", ints((1, 4, 1)), (3, 1, 1), None, kind=TypeError),
)
