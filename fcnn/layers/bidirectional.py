"""A layer over a sequence and over its reverse.

    y[n,t] = (f(x)[n,t], g(x reversed)[n, L - 1 - t])      L = steps up to the last real one

f and g are the same layer with different parameters. Steps at or beyond L, which are padding by
lengths or mask, stay where they are, so that the reversed sequence begins with a real step too.
"""

import dataclasses

import jax
import jax.numpy as jnp

from fcnn.layers.call import Call, real
from fcnn.layers.combinators import Made, require_layer, run
from fcnn.layers.layer import Layer
from fcnn.ops.validation import named, require


def bidirectional(layer: Layer, *, name: str = "bidirectional") -> Layer:
    """Apply a layer to a sequence and to its reverse, and concatenate the features.

    Shapes: x (n, t, *axes) -> y with twice the features of the layer's output: first of the
            forward pass, then of the backward pass. An output with steps is reversed back.
            params and state have the entries forward and backward.
    Options:
        layer: a layer of sequences, such as lstm(64).
        name: name of the layer, by which an outer `serial` numbers it.
    Raises: TypeError if the argument is not a layer, or for the input positions or attention_mask.
    Source: Schuster & Paliwal 1997.

    >>> model = fcnn.layers.bidirectional(fcnn.layers.lstm(8))
    >>> params, _, y = fcnn.layers.shapes(model, (5, 3))
    >>> sorted(params), y.shape
    (['backward', 'forward'], (5, 16))
    """
    with named(name):
        require_layer(layer)
    parts = (("forward", layer), ("backward", layer))

    def setup(key, x, plan):
        if plan.cache is not None:
            raise TypeError("reads a whole sequence, so this model cannot decode by steps")
        made, ys = Made(), []
        for i, (part, _) in enumerate(parts):
            ys += [made.add(part, layer.setup(jax.random.fold_in(key, i), x, plan.inside(part)))]
        return made.params, made.state, jax.eval_shape(lambda ys: jnp.concatenate(ys, -1), ys)

    def forward(params, state, x, call):
        new_state, lengths = {}, _lengths(call, x)
        y = run("forward", layer, params, state, x, call.inside("forward", 0), new_state)
        backward = _reversed_call(call.inside("backward", 1), lengths)
        x = _reverse(x, lengths)
        z = run("backward", layer, params, state, x, backward, new_state)
        z = z if layer.positions == "removed" else _reverse(z, lengths)
        return jnp.concatenate([y, z], -1), new_state

    return Layer(name, setup, forward, parts, input_dtype=layer.input_dtype)


def _lengths(call, x):
    """L of each example, or None for all steps."""
    mask = real(call, x)
    if mask is None or "mask" not in call.inputs:
        return call.inputs.get("lengths")
    t = jnp.arange(1, x.shape[1] + 1)[None]
    return jnp.where(mask.any(range(2, mask.ndim)), t, 0).max(1, initial=0)


def _reversed_call(call: Call, lengths: jax.Array | None) -> Call:
    if other := sorted({"positions", "attention_mask"} & call.inputs.keys()):
        raise TypeError(f"does not reverse {' or '.join(other)}; write mask or lengths")
    mask = call.inputs.get("mask")
    reverse = {} if mask is None else {"mask": _reverse(mask, lengths)}
    return dataclasses.replace(call, inputs={**call.inputs, **reverse})


def _reverse(x, lengths):
    """x with its steps in reverse order, up to the length of each example."""
    require(x.ndim >= 2, f"x {x.shape} needs an axis of steps")
    if lengths is None:
        return jnp.flip(x, 1)
    t = jnp.arange(x.shape[1])[None]
    last = jnp.clip(lengths.astype(t.dtype), 0, x.shape[1])[:, None] - 1
    index = jnp.where(t <= last, last - t, t)
    return jnp.take_along_axis(x, index.reshape(*index.shape, *(1,) * (x.ndim - 2)), 1)
