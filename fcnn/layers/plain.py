"""Operators without parameters, as layers: each takes its operator's arguments but for x.

layers.relu()      layers.max_pool(2, stride=1)      layers.softmax(axis=-1)
"""

import inspect
import math
from collections.abc import Callable
from typing import Any

from fcnn import ops
from fcnn.layers.layer import Layer, stateless
from fcnn.ops import Op


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
softmax = lifted(ops.softmax)
log_softmax = lifted(ops.log_softmax)
max_pool = lifted(ops.max_pool)
avg_pool = lifted(ops.avg_pool)
lp_pool = lifted(ops.lp_pool)
global_avg_pool = lifted(ops.global_avg_pool)
positional_encoding = lifted(ops.positional_encoding)


def flatten() -> Layer:
    """(n, *size, c) -> (n, prod(size) c)."""
    return stateless("flatten", lambda x: x.reshape(len(x), math.prod(x.shape[1:])))


def dropout(rate: float) -> Layer:
    """`fcnn.dropout` while training, which needs a key; the identity otherwise."""

    if not 0 <= rate < 1:
        raise ValueError(f"dropout: rate {rate} must lie in [0, 1)")

    def apply(params, state, x, *, key=None, train=False):
        if not train:
            return x, {}
        if key is None:
            raise ValueError(
                "dropout: no key; write model.apply(params, state, x, key=key, train=True)"
            )
        return ops.dropout(x, key, rate=rate), {}

    return Layer("dropout", lambda key, shape: ({}, {}), apply)
