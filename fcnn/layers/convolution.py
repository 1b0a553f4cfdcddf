"""Convolution layers: plain, transposed and separable."""

import math

import jax
import jax.numpy as jnp

from fcnn import ops
from fcnn.layers import initializers
from fcnn.layers.initializers import Initializer
from fcnn.layers.layer import Layer
from fcnn.layers.leaf import leaf
from fcnn.layers.window import require_rank, require_window
from fcnn.ops.validation import named, require, require_counts
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
    """`fcnn.conv` with its kernel and bias.

    Shapes: x (n, *size, c) -> y (n, *out, features);
            params: w (*window, c / groups, features), b (features,).
    Options:
        features: channels of the output.
        window: cells along each spatial axis.
        stride: cells between windows, one int or one per axis.
        padding: an int, a pair (low, high) per axis, or a mode of `fcnn.conv`; "same" by default.
        padding_mode: content of padded cells: "zeros", "reflect", "edge" or "wrap".
        dilation: cells between the taps of a window, one int or one per axis.
        groups: number of groups of channels that do not mix; divides c and `features`.
        bias: whether b is added; it starts at 0.
        w_init: initializer of w, with the fans of one group.
        impl: implementation, as for `fcnn.conv`.
    Raises: TypeError or ValueError if `window` is not a tuple of positive integers; ValueError from
            `init` if `window` and the input differ in the number of spatial axes, or if `groups`
            does not divide c and `features`.

    >>> params, _, y = fcnn.layers.shapes(fcnn.layers.conv(8, (3, 3), stride=2), (28, 28, 4))
    >>> y.shape, params["w"].shape, params["b"].shape
    ((14, 14, 8), (3, 3, 4, 8), (8,))
    """
    with named("conv"):
        require_window(window)
        require_counts(features=features, groups=groups)

    def init(key, x):
        c = x.shape[-1]
        require_rank(window, x)
        require(c % groups == 0, f"groups {groups} does not divide {c} channels")
        w = initializers.grouped(w_init, groups)(key, (*window, c // groups, features))
        return {"w": w} | ({"b": jnp.zeros(features, w.dtype)} if bias else {})

    def f(params, x, call):
        options = {"stride": stride, "dilation": dilation, "groups": groups, "impl": impl}
        options |= {"padding": padding, "padding_mode": padding_mode}
        return ops.conv(x, **params, **options)

    def multiply_adds(x, y, plan):
        return math.prod(y.shape[1:]) * math.prod(window) * x.shape[-1] // groups

    return leaf(
        "conv",
        f,
        init,
        parameters=("w", "b")[: 1 + bias],
        positions="mixed",
        multiply_adds=multiply_adds,
    )


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
    """`fcnn.conv_transpose` with its kernel and bias.

    Shapes: x (n, *size, c) -> y (n, *out, features), out = stride size for "same" padding;
            params: w (*window, c, features / groups), b (features,).
    Options:
        features: channels of the output.
        window: cells along each spatial axis.
        stride: cells between windows in the output, one int or one per axis.
        padding: an int, a pair (low, high) per axis, or a mode of `fcnn.conv_transpose`; "same" by
            default. Padding crops the output.
        output_padding: cells added at the end of each axis of the output.
        dilation: cells between the taps of a window, one int or one per axis.
        groups: number of groups of channels that do not mix; divides c and `features`.
        bias: whether b is added; it starts at 0.
        w_init: initializer of w, with the fans of one group.
        impl: implementation, as for `fcnn.conv_transpose`.
    Raises: TypeError or ValueError if `window` is not a tuple of positive integers; ValueError from
            `init` if `window` and the input differ in the number of spatial axes, or if `groups`
            does not divide c and `features`.

    >>> up = fcnn.layers.conv_transpose(8, (4, 4), stride=2)
    >>> params, _, y = fcnn.layers.shapes(up, (14, 14, 4))
    >>> y.shape, params["w"].shape
    ((28, 28, 8), (4, 4, 4, 8))
    """
    with named("conv_transpose"):
        require_window(window)
        require_counts(features=features, groups=groups)

    def init(key, x):
        c = x.shape[-1]
        require_rank(window, x)
        for size, what in ((features, "features"), (c, "channels")):
            require(size % groups == 0, f"groups {groups} does not divide {size} {what}")
        grouped_init = initializers.grouped(w_init, groups, axis=-2)
        w = grouped_init(key, (*window, c, features // groups))
        return {"w": w} | ({"b": jnp.zeros(features, w.dtype)} if bias else {})

    def f(params, x, call):
        options = {"stride": stride, "dilation": dilation, "groups": groups, "impl": impl}
        options |= {"padding": padding, "output_padding": output_padding}
        return ops.conv_transpose(x, **params, **options)

    def multiply_adds(x, y, plan):
        return math.prod(x.shape[1:]) * math.prod(window) * features // groups

    return leaf(
        "conv_transpose",
        f,
        init,
        parameters=("w", "b")[: 1 + bias],
        positions="mixed",
        multiply_adds=multiply_adds,
    )


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
    """`fcnn.separable_conv` with its kernels: a depthwise convolution, then a 1×1 convolution.

    Shapes: x (n, *size, c) -> y (n, *out, features); params: depthwise (*window, 1, c multiplier),
            pointwise (c multiplier, features), b (features,).
    Options:
        features: channels of the output.
        window: cells along each spatial axis of the depthwise kernel.
        multiplier: number of features that the depthwise convolution makes of each channel.
        stride: cells between windows, one int or one per axis.
        padding: an int, a pair (low, high) per axis, or a mode of `fcnn.conv`; "same" by default.
        dilation: cells between the taps of a window, one int or one per axis.
        bias: whether b is added; it starts at 0.
        w_init: initializer of the pointwise kernel; `lecun` draws the depthwise kernel.
    Raises: TypeError or ValueError if `window` is not a tuple of positive integers; ValueError from
            `init` if `window` and the input differ in the number of spatial axes.
    Source: Chollet, arXiv:1610.02357.

    >>> separable = fcnn.layers.separable_conv(16, (3, 3), bias=False)
    >>> params, _, _ = fcnn.layers.shapes(separable, (28, 28, 8))
    >>> params["depthwise"].shape, params["pointwise"].shape
    ((3, 3, 1, 8), (8, 16))
    """
    with named("separable_conv"):
        require_window(window)
        require_counts(features=features, multiplier=multiplier)

    def init(key, x):
        require_rank(window, x)
        f = x.shape[-1] * multiplier
        # no activation follows the depthwise convolution, so the variance is 1 / fan_in
        depthwise = initializers.lecun(jax.random.fold_in(key, 0), (*window, 1, f))
        pointwise = w_init(jax.random.fold_in(key, 1), (f, features))
        b = {"b": jnp.zeros(features, pointwise.dtype)} if bias else {}
        return {"depthwise": depthwise, "pointwise": pointwise} | b

    def f(params, x, call):
        options = {"stride": stride, "padding": padding, "dilation": dilation}
        return ops.separable_conv(x, **params, **options)

    def multiply_adds(x, y, plan):
        f = x.shape[-1] * multiplier
        return math.prod(y.shape[1:-1]) * f * (math.prod(window) + features)

    return leaf(
        "separable_conv",
        f,
        init,
        parameters=("depthwise", "pointwise", "b")[: 2 + bias],
        positions="mixed",
        multiply_adds=multiply_adds,
    )
