"""Separable convolution: a depthwise convolution, then a dense layer across channels.

For one axis and m features per channel, with f = m c + j the j-th feature of channel c,

    h[n,p,f] = sum_i x[n, s p + d i - lo, f // m] depthwise[i,0,f]     a grouped convolution
    y[n,p,o] = b[o] + sum_f h[n,p,f] pointwise[f,o]                    dense at every position

The gradients use the rules of the two operators: `dense` computes dh, dpointwise and db from dy,
and `conv` computes dx and ddepthwise from dh. x, h and the kernels are saved.
"""

from jaxtyping import Array, Float

from fcnn.ops.case import Case, extreme, ints, normals, rejects
from fcnn.ops.convolution.conv import conv_bwd, conv_fwd
from fcnn.ops.dense import dense_bwd, dense_fwd
from fcnn.ops.op import operator
from fcnn.ops.validation import require, require_floats, require_rank
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
    """Depthwise separable convolution: convolve each channel, then mix channels at each position.

    Shapes: x (n, *size, c), depthwise (*window, 1, f), pointwise (f, o), b (o) -> y (n, *out, o),
            out as for `conv`; f is a multiple of c. depthwise is the kernel of `conv` with
            groups = c: features of one channel are neighbours. Reshape Keras's depthwise kernel
            (*window, c, m) to (*window, 1, c m). pointwise is the kernel of `dense`.
    Options:
        stride: step between windows in cells, one int or one per axis; 1.
        padding: zero padding as for `conv`: an int, a sequence of ints or pairs (lo, hi), "valid",
            "same", "same_lower", "causal" or "full"; "valid".
        dilation: step between taps of a window in cells, one int or one per axis; 1.
    Units:  y and b are in units of x times the units of both kernels. stride, padding and dilation
            are in cells. The result of the first convolution is rounded to the dtype of x.
    Raises: ValueError if ranks or channels disagree or no window fits; TypeError if an
            array holds integers.
    Cost:   n prod(out) f (prod(window) + o) multiply-adds; `conv` needs
            n prod(out) prod(window) c o.
    Source: Sifre 2014; Chollet, arXiv:1610.02357.

    >>> x = jnp.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])[None]  # 3 cells, 2 channels
    >>> depthwise = jnp.array([[1.0, 1.0], [1.0, -1.0]])[:, None]  # a sum, and a difference
    >>> pointwise = jnp.array([[1.0], [1.0]])
    >>> fcnn.separable_conv(x, depthwise, pointwise).ravel()
    Array([-7., -5.], dtype=float32)
    """
    return separable_conv_fwd(
        x, depthwise, pointwise, b, stride=stride, padding=padding, dilation=dilation
    )[0]


@separable_conv.fwd
def separable_conv_fwd(x, depthwise, pointwise, b, **options):
    h, conv_saved = conv_fwd(x, depthwise, None, **_depthwise_options(x), **options)
    y, dense_saved = dense_fwd(h, pointwise, b)
    return y, (conv_saved, dense_saved)


@separable_conv.bwd
def separable_conv_bwd(saved, dy, **options):
    conv_saved, dense_saved = saved
    dh, dpointwise, db = dense_bwd(dense_saved, dy)
    dx, ddepthwise, _ = conv_bwd(conv_saved, dh, **_depthwise_options(conv_saved[0]), **options)
    return dx, ddepthwise, dpointwise, db


def _depthwise_options(x):
    """Options of `conv` that make each channel of x its own group."""
    return {"groups": x.shape[-1], "padding_mode": "zeros", "impl": "auto"}


@separable_conv.validate
def _validate(x, depthwise, pointwise, b, *, stride, padding, dilation):
    require_floats(x=x, depthwise=depthwise, pointwise=pointwise, b=b)
    require_rank(3, depthwise=depthwise)
    require(
        x.ndim == depthwise.ndim,
        f"x {x.shape} and depthwise {depthwise.shape} need the same number of axes",
    )
    c, (one, f) = x.shape[-1], depthwise.shape[-2:]
    require(
        one == 1 and 0 not in depthwise.shape and c > 0 and f % c == 0,
        f"depthwise {depthwise.shape} needs 1 channel and a multiple of {c} features",
    )
    require(
        pointwise.ndim == 2 and pointwise.shape[0] == f,
        f"pointwise {pointwise.shape} needs shape ({f}, features)",
    )
    o = pointwise.shape[1:]
    require(b is None or b.shape == o, f"b {b is None or b.shape} needs shape {o}")
    windows(x.shape[1:-1], depthwise.shape[:-2], stride, padding, dilation)


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
    rejects("a multiple of 2 features", (1, 4, 2), (3, 1, 3), (3, 1), None),
    rejects(r"depthwise \(3, 2, 2\) needs 1 channel", (1, 4, 2), (3, 2, 2), (2, 1), None),
    rejects(r"pointwise \(3, 1\) needs shape \(2, features\)", (1, 4, 2), (3, 1, 2), (3, 1), None),
    rejects(r"b \(2,\) needs shape \(1,\)", (1, 4, 2), (3, 1, 2), (2, 1), (2,)),
    rejects("the same number of axes", (4, 2), (3, 1, 2), (2, 1), None),
    rejects("at least 3 axes", (4, 2), (1, 2), (2, 1), None),
    rejects("exceeds the padded input", (1, 4, 2), (5, 1, 2), (2, 1), None),
    rejects("stride 1.5 must be", (1, 4, 2), (3, 1, 2), (2, 1), None, stride=1.5, kind=TypeError),
    rejects("x holds int32", ints((1, 4, 2)), (3, 1, 2), (2, 1), None, kind=TypeError),
)
separable_conv.torch_difference = "torch has none; the test compares with its two convolutions"
