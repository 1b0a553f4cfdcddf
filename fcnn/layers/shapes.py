"""Shapes and dtypes of a layer's parameters, state and output, from one traced pass of setup."""

from typing import Any

import jax

from fcnn.layers.call import Spec
from fcnn.layers.layer import Layer, Params, State
from fcnn.layers.spec import planned, set_up


def shapes(
    layer: Layer, shape: Any, *, dtype: Any = None, **inputs: Any
) -> tuple[Params, State, Spec]:
    """Specs of `params`, of `state`, and of y for one example.

    Shapes: `shape` and the spec of y are without the batch axis.
    Options:
        layer: a layer.
        dtype: of x; the layer's `input_dtype` if None.
        inputs: shapes of side inputs that setup needs.
    Raises: ValueError from the operator if a layer cannot take its input.
    Cost:   tracing; nothing is computed.

    >>> params, state, y = fcnn.layers.shapes(fcnn.layers.dense(4), (3,))
    >>> y.shape, params["w"]
    ((4,), ShapeDtypeStruct(shape=(3, 4), dtype=float32))
    """
    params, state, y = set_up(layer, *planned(layer, shape, dtype, inputs))
    without_batch = lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype)
    return params, state, jax.tree.map(without_batch, y)
