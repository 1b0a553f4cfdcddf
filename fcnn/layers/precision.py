"""Mixed precision: the dtypes of parameters, of the computation and of the output."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from fcnn.layers.combinators import require_layer
from fcnn.layers.layer import Layer
from fcnn.ops.arrays import is_float
from fcnn.ops.validation import named


def precision(
    layer: Layer,
    *,
    params: Any = jnp.float32,
    compute: Any = jnp.bfloat16,
    output: Any = jnp.float32,
) -> Layer:
    """The same layer with its parameters, its computation and its output in chosen dtypes.

    Floats of x, of the parameters and of the side inputs are converted to `compute` in each forward
    pass. State, such as running statistics, is not converted. Integers are unchanged. The gradients
    have the dtype of the parameters.

    Shapes: those of the layer.
    Options:
        layer: a layer, for example a whole model.
        params: dtype that `init` gives the parameters, and the running statistics.
        compute: dtype of the forward and backward pass, and of a decoding cache.
        output: dtype of y.
    Raises: TypeError if the first argument is not a layer, or a dtype is not a dtype of floats.
    Source: Micikevicius et al., arXiv:1710.03740.

    >>> model = fcnn.layers.precision(fcnn.layers.dense(2))
    >>> params, state = model.init(jax.random.key(0), (3,))
    >>> params["w"].dtype, model.apply(params, state, jnp.ones((1, 3)))[0].dtype
    (dtype('float32'), dtype('float32'))
    """
    with named("precision"):
        require_layer(layer)
        for option, dtype in {"params": params, "compute": compute, "output": output}.items():
            _require_float_dtype(option, dtype)

    def setup(key, x, plan):
        of = lambda tree, dtype: jax.eval_shape(lambda tree: _cast(tree, dtype), tree)

        report, plan = plan.observe, dataclasses.replace(plan, dtype=compute)
        if report is not None:
            observe = lambda inner, plan, x, params, state, y: report(
                inner, plan, of(x, compute), params, state, of(y, compute)
            )
            plan = dataclasses.replace(plan, observe=observe)
        p, s, y = layer.setup(key, of(x, float), plan)
        s = s if plan.cache else _cast(s, params)  # a cache has the dtype of the computation
        return _cast(p, params), s, of(y, output)

    def forward(params, state, x, call):
        inputs = _cast(dict(call.inputs), compute)
        call = dataclasses.replace(call, inputs=inputs, dtype=compute)
        y, state = layer.forward(_cast(params, compute), state, _cast(x, compute), call)
        return _cast(y, output), state

    return dataclasses.replace(layer, setup=setup, forward=forward)


def _cast(tree, dtype):
    """The tree with its floats in `dtype`."""
    return jax.tree.map(lambda a: a.astype(dtype) if is_float(a) else a, tree)


def _require_float_dtype(option, dtype):
    try:
        is_floating = jnp.issubdtype(dtype, jnp.floating)
    except TypeError:
        is_floating = False
    if not is_floating:
        raise TypeError(f"{option} {dtype!r} is not a dtype of floats; write jnp.bfloat16")
