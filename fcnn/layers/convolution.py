"""Convolution and its relatives with weights: `window` has one entry per spatial axis."""

import math

import jax
import jax.numpy as jnp

from fcnn import ops
from fcnn.layers import initializers
from fcnn.layers.initializers import Initializer
from fcnn.layers.layer import Layer, require_window
from fcnn.ops.validation import require_counts
from fcnn.ops.window import Axes, Padding


def conv(
    features: int,
    window: tuple[int, ...],
    *,
    stride: Axes = 1,
    padding: Padding = "same",
    padding_mode: str = "zeros",
    dilation: Axes = 1,
    groups: int = 1,
    bias: bool = True,
    w_init: Initializer = initializers.he,
    impl: str = "auto",
) -> Layer:
    """`fcnn.conv` with its kernel w (*window, c / groups, features) and b (features,).

    Padding defaults to "same", as networks mostly want.
    """

    _check("conv", window, features=features, groups=groups)

    def init(key, shape):
        _check_shape("conv", window, shape)
        if shape[-1] % groups:
            raise ValueError(f"conv: groups {groups} does not divide {shape[-1]} channels")
        start = initializers.grouped(w_init, groups)
        w = start(key, (*window, shape[-1] // groups, features))
        return {"w": w} | ({"b": jnp.zeros(features, w.dtype)} if bias else {}), {}

    def apply(params, state, x, *, key=None, train=False):
        how = {"stride": stride, "dilation": dilation, "groups": groups, "impl": impl}
        how |= {"padding": padding, "padding_mode": padding_mode}
        return ops.conv(x, params["w"], params.get("b"), **how), {}

    def multiply_adds(shape, out):
        return math.prod(out) * math.prod(window) * shape[-1] // groups

    return Layer("conv", init, apply, multiply_adds)


def conv_transpose(
    features: int,
    window: tuple[int, ...],
    *,
    stride: Axes = 1,
    padding: Padding = "same",
    output_padding: Axes = 0,
    dilation: Axes = 1,
    groups: int = 1,
    bias: bool = True,
    w_init: Initializer = initializers.he,
    impl: str = "auto",
) -> Layer:
    """`fcnn.conv_transpose` with its kernel w (*window, c, features / groups) and b (features,).

    "same", the default, multiplies the size by the stride.
    """

    _check("conv_transpose", window, features=features, groups=groups)

    def init(key, shape):
        _check_shape("conv_transpose", window, shape)
        for size, what in ((features, "features"), (shape[-1], "channels")):
            if size % groups:
                raise ValueError(f"conv_transpose: groups {groups} does not divide {size} {what}")
        start = initializers.grouped(w_init, groups, axis=-2)
        w = start(key, (*window, shape[-1], features // groups))
        return {"w": w} | ({"b": jnp.zeros(features, w.dtype)} if bias else {}), {}

    def apply(params, state, x, *, key=None, train=False):
        how = {"stride": stride, "dilation": dilation, "groups": groups, "impl": impl}
        how |= {"padding": padding, "output_padding": output_padding}
        return ops.conv_transpose(x, params["w"], params.get("b"), **how), {}

    def multiply_adds(shape, out):
        return math.prod(shape) * math.prod(window) * features // groups

    return Layer("conv_transpose", init, apply, multiply_adds)


def separable_conv(
    features: int,
    window: tuple[int, ...],
    *,
    multiplier: int = 1,
    stride: Axes = 1,
    padding: Padding = "same",
    dilation: Axes = 1,
    bias: bool = True,
    w_init: Initializer = initializers.he,
) -> Layer:
    """`fcnn.separable_conv` with `multiplier` features of every channel before they are mixed.

    Its kernels are depthwise (*window, 1, c multiplier) and pointwise (c multiplier, features).
    """

    _check("separable_conv", window, features=features, multiplier=multiplier)

    def init(key, shape):
        _check_shape("separable_conv", window, shape)
        f = shape[-1] * multiplier
        # nothing follows the depthwise kernel but a matrix, so its variance is 1 / fan_in
        depthwise = initializers.lecun(jax.random.fold_in(key, 0), (*window, 1, f))
        pointwise = w_init(jax.random.fold_in(key, 1), (f, features))
        b = {"b": jnp.zeros(features, pointwise.dtype)} if bias else {}
        return {"depthwise": depthwise, "pointwise": pointwise} | b, {}

    def apply(params, state, x, *, key=None, train=False):
        how = {"stride": stride, "padding": padding, "dilation": dilation}
        return ops.separable_conv(x, **params, **how), {}

    def multiply_adds(shape, out):
        f = shape[-1] * multiplier
        return math.prod(out[:-1]) * f * (math.prod(window) + features)

    return Layer("separable_conv", init, apply, multiply_adds)


def _check(name, window, **counts):
    require_window(name, window)
    require_counts(name, **counts)


def _check_shape(name, window, shape):
    if len(shape) != len(window) + 1:
        raise ValueError(f"{name}: an input {shape} and a window {window} differ in spatial axes")
