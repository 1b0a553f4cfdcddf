"""Separable convolution: first along space, channel by channel, then across channels.

With m features made of every channel c, f = m c + j the j-th of them, and one axis,

    h[n,p,f] = sum_i x[n, s p + d i - lo, f // m] depthwise[i,0,f]     a grouped convolution
    y[n,p,o] = b[o] + sum_f h[n,p,f] pointwise[f,o]                    a dense layer at every place

Gradients go back through the two in turn, each by its own rule: from dy dense gives dh, dpointwise
and db, and from dh the convolution gives dx and ddepthwise. Saved are what the two save: x, h and
the kernels.
"""

from jaxtyping import Array, Float

from fcnn.ops.affine import dense_bwd, dense_fwd
from fcnn.ops.convolution.convolution import conv_bwd, conv_fwd
from fcnn.ops.op import Case, extreme, ints, normals, operator, refused
from fcnn.ops.refusal import require, require_floats, require_rank
from fcnn.ops.window import Axes, Padding, windows


@operator()
def separable_conv(
    x: Float[Array, "n *size c"],
    depthwise: Float[Array, "*window 1 f"],
    pointwise: Float[Array, "f o"],
    b: Float[Array, " o"] | None = None,
    *,
    stride: Axes = 1,
    padding: Padding = "valid",
    dilation: Axes = 1,
) -> Float[Array, "n *out o"]:
    """Convolve every channel by itself, then mix the channels of each place.

    Shapes: f is a multiple of c, and features are grouped by channel: depthwise is the kernel of
            `conv` with groups = c (Keras's (*window, c, m) reshaped), pointwise that of `dense`.
            out and padding as for `conv`.
    Units:  y and b are in units of x times those of both kernels.
    Raises: ValueError if ranks or channels disagree or no window fits; TypeError for integers.
    Cost:   n prod(out) f (prod(window) + o) multiply-adds, where `conv` needs prod(window) c o.
    Source: Sifre 2014; Chollet, arXiv:1610.02357.
    """
    return separable_conv_fwd(
        x, depthwise, pointwise, b, stride=stride, padding=padding, dilation=dilation
    )[0]


@separable_conv.fwd
def separable_conv_fwd(x, depthwise, pointwise, b, **options):
    h, of_conv = conv_fwd(x, depthwise, None, **_alone(x), **options)
    y, of_dense = dense_fwd(h, pointwise, b)
    return y, (of_conv, of_dense)


@separable_conv.bwd
def separable_conv_bwd(saved, dy, **options):
    of_conv, of_dense = saved
    dh, dpointwise, db = dense_bwd(of_dense, dy)
    dx, ddepthwise, _ = conv_bwd(of_conv, dh, **_alone(of_conv[0]), **options)
    return dx, ddepthwise, dpointwise, db


def _alone(x):
    """The options by which `conv` sees each channel of x by itself."""
    return {"groups": x.shape[-1], "padding_mode": "zeros", "impl": "auto"}


@separable_conv.check
def _check(x, depthwise, pointwise, b, *, stride, padding, dilation):
    name = "separable_conv"
    require_floats(name, x=x, depthwise=depthwise, pointwise=pointwise, b=b)
    require_rank(name, 3, depthwise=depthwise)
    require(
        x.ndim == depthwise.ndim,
        f"{name}: x {x.shape} and depthwise {depthwise.shape} need the same number of axes",
    )
    c, (one, f) = x.shape[-1], depthwise.shape[-2:]
    require(
        one == 1 and 0 not in depthwise.shape and c > 0 and f % c == 0,
        f"{name}: depthwise {depthwise.shape} needs 1 channel and a multiple of x's {c} features",
    )
    require(
        pointwise.ndim == 2 and pointwise.shape[0] == f,
        f"{name}: pointwise {pointwise.shape} needs shape ({f}, features)",
    )
    o = pointwise.shape[1:]
    require(b is None or b.shape == o, f"{name}: b {b is None or b.shape} needs shape {o}")
    windows(name, x.shape[1:-1], depthwise.shape[:-2], stride, padding, dilation)


separable_conv.cases = (
    Case("plain", ((1, 3, 4, 2), (2, 3, 1, 2), (2, 3), (3,))),
    Case(
        "two of each channel",
        ((2, 5, 4, 2), (3, 2, 1, 4), (4, 3), None),
        {"stride": (2, 1), "padding": "same", "dilation": (1, 2)},
    ),
    Case("1-D", ((2, 5, 3), (2, 1, 3), (3, 1), (1,)), {"padding": "causal"}),
    extreme("huge", normals((1, 5, 2), 1e4), (3, 1, 2), (2, 1), (1,)),
    Case("no examples", ((0, 3, 4, 2), (2, 3, 1, 2), (2, 3), (3,))),
    refused("a multiple of x's 2 features", (1, 4, 2), (3, 1, 3), (3, 1), None),
    refused(r"depthwise \(3, 2, 2\) needs 1 channel", (1, 4, 2), (3, 2, 2), (2, 1), None),
    refused(r"pointwise \(3, 1\) needs shape \(2, features\)", (1, 4, 2), (3, 1, 2), (3, 1), None),
    refused(r"b \(2,\) needs shape \(1,\)", (1, 4, 2), (3, 1, 2), (2, 1), (2,)),
    refused("the same number of axes", (4, 2), (3, 1, 2), (2, 1), None),
    refused("at least 3 axes", (4, 2), (1, 2), (2, 1), None),
    refused("exceeds the padded input", (1, 4, 2), (5, 1, 2), (2, 1), None),
    refused("stride 1.5 must be", (1, 4, 2), (3, 1, 2), (2, 1), None, stride=1.5, kind=TypeError),
    refused("x holds int32", ints((1, 4, 2)), (3, 1, 2), (2, 1), None, kind=TypeError),
)
separable_conv.departs = "none there: compared with its two convolutions"
