"""Operators with weights: convolution and dense."""

import math

import jax.numpy as jnp

from fcnn import ops
from fcnn.layers import initializers
from fcnn.layers.initializers import Initializer
from fcnn.layers.layer import Layer
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

    `window` has one entry per spatial axis. Padding defaults to "same", as networks mostly want.
    """

    if not isinstance(window, tuple):
        raise TypeError(f"conv: window {window!r} needs one entry per spatial axis, as in (3, 3)")

    def init(key, shape):
        if len(shape) != len(window) + 1:
            raise ValueError(f"conv: an input {shape} and a window {window} differ in spatial axes")
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


def dense(features: int, *, bias: bool = True, w_init: Initializer = initializers.he) -> Layer:
    """`fcnn.dense` over the last axis, with its w (c, features) and b (features,)."""

    def init(key, shape):
        w = w_init(key, (shape[-1], features))
        return {"w": w} | ({"b": jnp.zeros(features, w.dtype)} if bias else {}), {}

    def apply(params, state, x, *, key=None, train=False):
        return ops.dense(x, params["w"], params.get("b")), {}

    return Layer("dense", init, apply, lambda shape, out: math.prod(out) * shape[-1])
