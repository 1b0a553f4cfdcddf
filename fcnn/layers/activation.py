"""Activations that learn: with a slope or a window of weights for each channel."""

import math

import jax.numpy as jnp

from fcnn import ops
from fcnn.layers import initializers
from fcnn.layers.initializers import Initializer
from fcnn.layers.layer import Layer, require_window
from fcnn.ops.validation import require_numbers


def prelu(*, start: float = 0.25) -> Layer:
    """`fcnn.prelu` with its slope (c,), which starts at `start`."""
    require_numbers("prelu", start=start)

    def init(key, shape):
        return {"slope": jnp.full(shape[-1], start)}, {}

    def apply(params, state, x, *, key=None, train=False):
        return ops.prelu(x, params["slope"]), {}

    return Layer("prelu", init, apply)


def frelu(
    window: tuple[int, ...] = (3, 3), *, bias: bool = True, w_init: Initializer = initializers.he
) -> Layer:
    """`fcnn.frelu` with its kernel w (*window, 1, c) and b (c,).

    `window` has one entry per spatial axis.
    """
    require_window("frelu", window)

    def init(key, shape):
        w = w_init(key, (*window, 1, shape[-1]))
        return {"w": w} | ({"b": jnp.zeros(shape[-1], w.dtype)} if bias else {}), {}

    def apply(params, state, x, *, key=None, train=False):
        return ops.frelu(x, params["w"], params.get("b")), {}

    return Layer("frelu", init, apply, lambda shape, out: math.prod(out) * math.prod(window))
