"""Dense layer: an affine map of the last axis."""

import math

import jax.numpy as jnp

from fcnn import ops
from fcnn.layers import initializers
from fcnn.layers.initializers import Initializer
from fcnn.layers.layer import Layer
from fcnn.layers.leaf import leaf
from fcnn.ops.validation import named, require_counts


def dense(features: int, *, bias: bool = True, w_init: Initializer = initializers.he) -> Layer:
    """`fcnn.dense` with its parameters: x w + b over the last axis.

    Shapes: x (n, *axes, c) -> y (n, *axes, features); params: w (c, features), b (features,).
    Options:
        features: entries of the output.
        bias: whether b is added; it starts at 0.
        w_init: initializer of w.
    Raises: TypeError if `features` is not an integer; ValueError if it is below 1.

    >>> dense = fcnn.layers.dense(3, w_init=fcnn.layers.initializers.ones)
    >>> params, state = dense.init(jax.random.key(0), (2,))
    >>> dense.apply(params, state, jnp.array([[1.0, 2.0]]))[0]
    Array([[3., 3., 3.]], dtype=float32)
    """
    with named("dense"):
        require_counts(features=features)

    def init(key, x):
        w = w_init(key, (x.shape[-1], features))
        return {"w": w} | ({"b": jnp.zeros(features, w.dtype)} if bias else {})

    def f(params, x, call):
        return ops.dense(x, **params)

    return leaf(
        "dense",
        f,
        init,
        parameters=("w", "b")[: 1 + bias],
        multiply_adds=lambda x, y, plan: math.prod(y.shape[1:]) * x.shape[-1],
    )
