"""Activations with parameters: a slope or a window of weights per channel."""

import math

import jax.numpy as jnp

from fcnn import ops
from fcnn.layers import initializers
from fcnn.layers.initializers import Initializer
from fcnn.layers.layer import Layer
from fcnn.layers.leaf import leaf
from fcnn.layers.window import require_window
from fcnn.ops.validation import named, require_numbers


def prelu(*, start: float = 0.25) -> Layer:
    """`fcnn.prelu` with a trained slope for each channel.

    Shapes: x (n, *axes, c) -> y (n, *axes, c); params: slope (c,).
    Options:
        start: initial value of every slope.
    Raises: TypeError if `start` is not a number.
    Source: He et al., arXiv:1502.01852.

    >>> prelu = fcnn.layers.prelu(start=0.5)
    >>> params, state = prelu.init(jax.random.key(0), (2,))
    >>> prelu.apply(params, state, jnp.array([[-4.0, 3.0]]))[0]
    Array([[-2.,  3.]], dtype=float32)
    """
    with named("prelu"):
        require_numbers(start=start)

    def init(key, x):
        return {"slope": jnp.full(x.shape[-1], start, float)}

    return leaf(
        "prelu",
        lambda params, x, call: ops.prelu(x, params["slope"]),
        init,
        parameters=("slope",),
    )


def frelu(
    window: tuple[int, ...] = (3, 3), *, bias: bool = True, w_init: Initializer = initializers.he
) -> Layer:
    """`fcnn.frelu` with its kernel: max(x, depthwise convolution of x).

    Shapes: x (n, *size, c) -> y (n, *size, c); params: w (*window, 1, c), b (c,).
    Options:
        window: cells along each spatial axis.
        bias: whether the convolution adds b, which starts at 0.
        w_init: initializer of w.
    Raises: TypeError or ValueError if `window` is not a tuple of positive integers.
    Source: Ma, Zhang & Sun, arXiv:2007.11824.

    >>> absolute = fcnn.layers.frelu((1,), w_init=fcnn.layers.initializers.constant(-1))
    >>> params, state = absolute.init(jax.random.key(0), (2, 1))
    >>> absolute.apply(params, state, jnp.array([[[-2.0], [3.0]]]))[0].ravel()
    Array([2., 3.], dtype=float32)
    """
    with named("frelu"):
        require_window(window)

    def init(key, x):
        w = w_init(key, (*window, 1, x.shape[-1]))
        return {"w": w} | ({"b": jnp.zeros(x.shape[-1], w.dtype)} if bias else {})

    return leaf(
        "frelu",
        lambda params, x, call: ops.frelu(x, **params),
        init,
        parameters=("w", "b")[: 1 + bias],
        positions="mixed",
        multiply_adds=lambda x, y, plan: math.prod(y.shape[1:]) * math.prod(window),
    )
