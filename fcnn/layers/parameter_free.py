"""Layers without parameters: an operator of x alone, with its options.

    layers.relu()      layers.max_pool(2, stride=1)      layers.softmax(axis=-1)

Each function here has the name and the options of its operator. The names are written out, one per
line, for editors and type checkers. tests/layers/test_layers.py proves that no name is missing.
"""

import inspect
import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from fcnn import ops
from fcnn.layers.layer import Layer
from fcnn.layers.leaf import leaf, stateless
from fcnn.ops import Op
from fcnn.ops.arrays import is_float
from fcnn.ops.sharding import of_batch
from fcnn.ops.validation import named, require_numbers, require_rank


def as_layer(op: Op, positions: str = "each") -> Callable[..., Layer]:
    """For an operator of x alone: the function that takes its options and returns a layer.

    Along an `axis` other than the last, an operator mixes positions.
    """
    _, *others = op.signature.parameters.values()
    signature = inspect.Signature(others, return_annotation=Layer)

    def layer(*args: Any, **options: Any) -> Layer:
        with named(op.name):
            try:
                chosen = signature.bind(*args, **options).arguments
            except TypeError as misuse:
                raise TypeError(f"{misuse}") from None
        mixes = positions == "mixed" or chosen.get("axis", -1) != -1
        return stateless(op.name, lambda x: op(x, **chosen), positions="mixed" if mixes else "each")

    layer.__name__ = layer.__qualname__ = op.name
    layer.__doc__ = f"`fcnn.{op.name}` as a layer, with its options.\n\n    {op.__doc__}"
    layer.__signature__ = signature
    return layer


identity = as_layer(ops.identity)
relu = as_layer(ops.relu)
sigmoid = as_layer(ops.sigmoid)
tanh = as_layer(ops.tanh)
relu6 = as_layer(ops.relu6)
leaky_relu = as_layer(ops.leaky_relu)
elu = as_layer(ops.elu)
selu = as_layer(ops.selu)
celu = as_layer(ops.celu)
log_sigmoid = as_layer(ops.log_sigmoid)
hard_sigmoid = as_layer(ops.hard_sigmoid)
hard_tanh = as_layer(ops.hard_tanh)
softplus = as_layer(ops.softplus)
softsign = as_layer(ops.softsign)
squareplus = as_layer(ops.squareplus)
silu = as_layer(ops.silu)
gelu = as_layer(ops.gelu)
hard_swish = as_layer(ops.hard_swish)
mish = as_layer(ops.mish)
glu = as_layer(ops.glu)
swiglu = as_layer(ops.swiglu)
softmax = as_layer(ops.softmax)
log_softmax = as_layer(ops.log_softmax)
max_pool = as_layer(ops.max_pool, "mixed")
avg_pool = as_layer(ops.avg_pool, "mixed")
lp_pool = as_layer(ops.lp_pool, "mixed")
min_max_scale = as_layer(ops.min_max_scale, "mixed")
adaptive_avg_pool = as_layer(ops.adaptive_avg_pool, "mixed")
adaptive_max_pool = as_layer(ops.adaptive_max_pool, "mixed")
resize_nearest = as_layer(ops.resize_nearest, "mixed")
resize_linear = as_layer(ops.resize_linear, "mixed")


def flatten() -> Layer:
    """Flatten each example to one axis.

    Shapes: x (n, *size, c) -> y (n, prod(size) c), in row-major order.
    Raises: ValueError from `apply` if x is a scalar.

    >>> fcnn.layers.flatten().apply({}, {}, jnp.ones((2, 3, 4)))[0].shape
    (2, 12)
    """

    def flat(x):
        require_rank(1, x=x)
        return jnp.reshape(x, (x.shape[0], math.prod(x.shape[1:])), out_sharding=of_batch(x))

    return stateless("flatten", flat, positions="removed")


def rescale(scale: float = 1 / 255, offset: float = 0.0) -> Layer:
    """Convert x to floats, times `scale` plus `offset`: images may stay uint8 until here.

    Shapes: x (n, *axes) of integers or floats -> y (n, *axes) of floats.
    Options:
        scale: the factor; 1 / 255 maps uint8 to [0, 1].
        offset: added after the multiplication.
    Raises: TypeError if `scale` or `offset` is not a number.

    >>> fcnn.layers.rescale().apply({}, {}, jnp.array([[0, 51, 255]], jnp.uint8))[0]
    Array([[0. , 0.2, 1. ]], dtype=float32)
    """
    with named("rescale"):
        require_numbers(scale=scale, offset=offset)

    def rescaled(params, x, call):
        floats = x if is_float(x) else x.astype(call.dtype or float)
        return floats * jnp.asarray(scale, floats.dtype) + jnp.asarray(offset, floats.dtype)

    return leaf("rescale", rescaled)


__all__ = ["flatten", "rescale", *(op.name for op in ops.OPS if op.name in globals())]
