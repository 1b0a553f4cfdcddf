"""Operators without parameters, as layers: each takes its operator's arguments but for x.

layers.relu()      layers.max_pool(2, stride=1)      layers.softmax(axis=-1)
"""

import inspect
import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from fcnn import ops
from fcnn.layers.layer import Layer, stateless
from fcnn.ops import Op
from fcnn.ops.sharding import of_batch
from fcnn.ops.validation import require_rank


def lifted(op: Op) -> Callable[..., Layer]:
    """From an operator of x alone to a function that makes a layer of it."""
    _, *others = op.signature.parameters.values()
    signature = inspect.Signature(others, return_annotation=Layer)

    def layer(*args: Any, **options: Any) -> Layer:
        chosen = signature.bind(*args, **options).arguments
        return stateless(op.name, lambda x: op(x, **chosen))

    layer.__name__ = layer.__qualname__ = op.name
    layer.__doc__ = f"`fcnn.{op.name}` as a layer.\n\n    {op.__doc__}"
    layer.__signature__ = signature
    return layer


identity = lifted(ops.identity)
relu = lifted(ops.relu)
sigmoid = lifted(ops.sigmoid)
tanh = lifted(ops.tanh)
relu6 = lifted(ops.relu6)
leaky_relu = lifted(ops.leaky_relu)
elu = lifted(ops.elu)
selu = lifted(ops.selu)
celu = lifted(ops.celu)
log_sigmoid = lifted(ops.log_sigmoid)
hard_sigmoid = lifted(ops.hard_sigmoid)
hard_tanh = lifted(ops.hard_tanh)
softplus = lifted(ops.softplus)
softsign = lifted(ops.softsign)
squareplus = lifted(ops.squareplus)
silu = lifted(ops.silu)
gelu = lifted(ops.gelu)
hard_swish = lifted(ops.hard_swish)
mish = lifted(ops.mish)
glu = lifted(ops.glu)
swiglu = lifted(ops.swiglu)
softmax = lifted(ops.softmax)
log_softmax = lifted(ops.log_softmax)
max_pool = lifted(ops.max_pool)
avg_pool = lifted(ops.avg_pool)
lp_pool = lifted(ops.lp_pool)
global_avg_pool = lifted(ops.global_avg_pool)
min_max_scale = lifted(ops.min_max_scale)
global_max_pool = lifted(ops.global_max_pool)
adaptive_avg_pool = lifted(ops.adaptive_avg_pool)
adaptive_max_pool = lifted(ops.adaptive_max_pool)
resize_nearest = lifted(ops.resize_nearest)
resize_linear = lifted(ops.resize_linear)
positional_encoding = lifted(ops.positional_encoding)


def flatten() -> Layer:
    """(n, *size, c) -> (n, prod(size) c)."""

    def flat(x):
        require_rank("flatten", 1, x=x)
        return jnp.reshape(x, (x.shape[0], math.prod(x.shape[1:])), out_sharding=of_batch(x))

    return stateless("flatten", flat)
