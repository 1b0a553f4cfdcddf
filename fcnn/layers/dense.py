"""A dense layer with its weights."""

import math

import jax.numpy as jnp

from fcnn import ops
from fcnn.layers import initializers
from fcnn.layers.initializers import Initializer
from fcnn.layers.layer import Layer
from fcnn.ops.validation import require_counts


def dense(features: int, *, bias: bool = True, w_init: Initializer = initializers.he) -> Layer:
    """`fcnn.dense` over the last axis, with its w (c, features) and b (features,)."""
    require_counts("dense", features=features)

    def init(key, shape):
        w = w_init(key, (shape[-1], features))
        return {"w": w} | ({"b": jnp.zeros(features, w.dtype)} if bias else {}), {}

    def apply(params, state, x, *, key=None, train=False):
        return ops.dense(x, params["w"], params.get("b")), {}

    return Layer("dense", init, apply, lambda shape, out: math.prod(out) * shape[-1])
