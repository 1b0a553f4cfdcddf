"""Convolutions in several layouts, pooling, windows and resizing."""

import jax
import jax.numpy as jnp
from jax import lax

from experiments.checkers.functions.function import Function


def conv_nhwc(x, w, b):
    """A 3 x 3 layer with the channels last and the size kept."""
    y = lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return jax.nn.relu(y + b)


def conv_nchw(x, w, b):
    """Strided, with the channels first and uneven padding."""
    y = lax.conv_general_dilated(x, w, (2, 1), ((1, 0), (1, 2)))
    return jnp.tanh(y + b[None, :, None, None])


def conv_causal(x, w):
    """Depthwise over time, only the past: y_t,c = sum_k w_k,c x_(t-k),c."""
    return lax.conv_general_dilated(
        x,
        w[::-1, None, :],
        (1,),
        ((w.shape[0] - 1, 0),),
        dimension_numbers=("NWC", "WIO", "NWC"),
        feature_group_count=x.shape[-1],
    )


def wavenet(x, w_filter, w_gate, dilated=2):
    """Gated and dilated: tanh(x * f) sigmoid(x * g)."""
    conv = lambda w: lax.conv_general_dilated(x, w, (1,), "VALID", rhs_dilation=(dilated,))
    return jnp.tanh(conv(w_filter)) * jax.nn.sigmoid(conv(w_gate))


def conv_up(x, w):
    """Transposed convolution with stride 2."""
    return lax.conv_transpose(x, w, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def conv_volume(x, w):
    """Three space axes, channels first."""
    return jnp.sin(lax.conv(x, w, (1, 1, 2), "VALID"))


def im2col(x, w):
    """A valid convolution as a matrix product of stacked shifts."""
    k, _, c, o = w.shape
    h, v = x.shape[0] - k + 1, x.shape[1] - k + 1
    shifts = [x[i : i + h, j : j + v] for i in range(k) for j in range(k)]
    columns = jnp.stack(shifts, axis=2).reshape(h * v, k * k * c)
    return (columns @ w.reshape(-1, o)).reshape(h, v, o)


def max_pool(x, scale):
    """2 x 3 windows with stride 2 on H x W x C."""
    y = lax.reduce_window(x * scale, -jnp.inf, lax.max, (2, 3, 1), (2, 2, 1), "VALID")
    return jnp.exp(y / 3)


def avg_pool(x):
    """Mean over 3 neighbours; the ends count only what is there."""
    total = lax.reduce_window(x, 0.0, lax.add, (1, 3), (1, 1), "SAME")
    count = lax.reduce_window(jnp.ones_like(x), 0.0, lax.add, (1, 3), (1, 1), "SAME")
    return jnp.square(total / count)


def box_filter(image, gain):
    """Sums over 3 x 3 boxes by the integral image."""
    s = jnp.pad(jnp.cumsum(jnp.cumsum(image, axis=0), axis=1), ((1, 0), (1, 0)))
    boxes = s[3:, 3:] - s[:-3, 3:] - s[3:, :-3] + s[:-3, :-3]
    return gain * jnp.tanh(boxes / 9)


def resize(image, target):
    """Mean square error of an enlarged image."""
    big = jax.image.resize(image, target.shape, "linear")
    return jnp.mean((big - target) ** 2)


def pixel_shuffle(x, w):
    """Depth to space with factor 2 after a 1 x 1 convolution."""
    h, v, _ = x.shape
    y = jnp.einsum("hvc,co->hvo", x, w).reshape(h, v, 2, 2, -1)
    return jnp.cos(y.transpose(0, 2, 1, 3, 4).reshape(2 * h, 2 * v, -1))


FUNCTIONS = (
    Function(
        "conv_nhwc",
        conv_nhwc,
        lambda rng: (
            rng.normal(size=(2, 5, 4, 3)),
            rng.normal(size=(3, 3, 3, 6)),
            rng.normal(size=6),
        ),
    ),
    Function(
        "conv_nchw",
        conv_nchw,
        lambda rng: (
            rng.normal(size=(2, 3, 6, 5)),
            rng.normal(size=(4, 3, 3, 2)) / 3,
            rng.normal(size=4),
        ),
    ),
    Function(
        "conv_causal",
        conv_causal,
        lambda rng: (rng.normal(size=(2, 7, 5)), rng.normal(size=(3, 5))),
    ),
    Function(
        "wavenet",
        wavenet,
        lambda rng: (
            rng.normal(size=(2, 3, 9)),
            rng.normal(size=(4, 3, 2)),
            rng.normal(size=(4, 3, 2)),
        ),
    ),
    Function(
        "conv_up",
        conv_up,
        lambda rng: (rng.normal(size=(1, 3, 4, 2)), rng.normal(size=(3, 3, 2, 5))),
    ),
    Function(
        "conv_volume",
        conv_volume,
        lambda rng: (rng.normal(size=(1, 2, 3, 4, 5)), rng.normal(size=(3, 2, 2, 2, 2)) / 3),
    ),
    Function(
        "im2col",
        im2col,
        lambda rng: (rng.normal(size=(5, 6, 3)), rng.normal(size=(2, 2, 3, 4))),
    ),
    Function(
        "max_pool",
        max_pool,
        lambda rng: (rng.normal(size=(6, 7, 3)), rng.uniform(0.5, 2, size=3)),
    ),
    Function("avg_pool", avg_pool, lambda rng: (rng.normal(size=(4, 9)),)),
    Function(
        "box_filter",
        box_filter,
        lambda rng: (rng.normal(size=(7, 7)), rng.normal(size=())),
    ),
    Function(
        "resize",
        resize,
        lambda rng: (rng.normal(size=(4, 5)), rng.normal(size=(9, 12))),
    ),
    Function(
        "pixel_shuffle",
        pixel_shuffle,
        lambda rng: (rng.normal(size=(3, 4, 5)), rng.normal(size=(5, 8))),
    ),
)
