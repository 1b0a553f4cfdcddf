"""Layers made of layers: a chain, a sum with a shortcut, a chain of equal blocks.

    serial(f, g)      y = g(f(x))
    residual(f)       y = x + f(x)           residual(f, shortcut)   y = shortcut(x) + f(x)
    repeat(f, 3)      y = f3(f2(f1(x)))      f1, f2, f3 are f with different parameters

`params` and `state` have one entry per part. Its name is the kind of the part with a number, as in
{"conv1": ..., "conv2": ..., "dense1": ...}. A part without parameters has no entry in `params`, and
a part without state has no entry in `state`. `repeat` has the parameters of one block, each with a
leading axis n.
"""

from collections import Counter
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from fcnn.layers.layer import Layer, Part, shapes
from fcnn.ops.validation import named, require, require_counts


def serial(*layers: Layer, name: str = "serial") -> Layer:
    """Chain of layers, each with its own key. A chain without layers is the identity.

    Shapes: the output of each layer is the input of the next.
    Options:
        layers: the layers, in order.
        name: name of the chain, by which an outer `serial` numbers it.
    Raises: TypeError if an argument is not a layer.

    >>> model = fcnn.layers.serial(fcnn.layers.dense(4), fcnn.layers.relu(), fcnn.layers.dense(2))
    >>> params, state, output = fcnn.layers.shapes(model, (3,))
    >>> {name: p["w"].shape for name, p in params.items()}, output
    ({'dense1': (3, 4), 'dense2': (4, 2)}, (2,))
    """
    with named(name):
        _require_layers(*layers)
    names = _numbered(layers)

    def parts(shape):
        found = []
        for part_name, layer in zip(names, layers, strict=True):
            found.append(Part(part_name, layer, shape))
            _, _, shape = shapes(layer, shape)
        return found

    def apply(params, state, x, *, key=None, train=False):
        new_state = {}
        for i, (part, layer) in enumerate(zip(names, layers, strict=True)):
            subkey = None if key is None else jax.random.fold_in(key, i)
            p, s = params.get(part, {}), state.get(part, {})
            x, s = layer.apply(p, s, x, key=subkey, train=train)
            new_state |= {part: s} if s else {}
        return x, new_state

    input_dtype = layers[0].input_dtype if layers else float
    return Layer(name, _init_parts(parts), apply, parts=parts, input_dtype=input_dtype)


def residual(body: Layer, shortcut: Layer | None = None, *, name: str = "residual") -> Layer:
    """Residual connection: body(x) + shortcut(x), where the default shortcut is the identity.

    Shapes: the output of body, the output of shortcut and y have the same shape.
    Options:
        body: the layer whose output is added.
        shortcut: a layer such as a 1×1 convolution; None for the identity.
        name: name of the layer, by which an outer `serial` numbers it.
    Raises: ValueError from `apply` if the two outputs differ in shape.
    Source: He et al., arXiv:1512.03385.

    >>> double = fcnn.layers.residual(fcnn.layers.identity())
    >>> double.apply({}, {}, jnp.array([[3.0]]))[0]
    Array([[6.]], dtype=float32)
    """

    def parts(shape):
        found = [Part("body", body, shape)]
        return found if shortcut is None else [*found, Part("shortcut", shortcut, shape)]

    def apply(params, state, x, *, key=None, train=False):
        keys = (None, None) if key is None else jax.random.split(key)
        params_and_state = lambda part: (params.get(part, {}), state.get(part, {}))
        y, body_state = body.apply(*params_and_state("body"), x, key=keys[0], train=train)
        shortcut_state = {}
        if shortcut is not None:
            x, shortcut_state = shortcut.apply(
                *params_and_state("shortcut"), x, key=keys[1], train=train
            )
        with named(name):
            require(
                x.shape == y.shape,
                f"body output {y.shape} and shortcut output {x.shape} differ; "
                "write residual(body, shortcut) with a shortcut of the body's output shape",
            )
        new_state = {"body": body_state, "shortcut": shortcut_state}
        return x + y, {part: s for part, s in new_state.items() if s}

    return Layer(name, _init_parts(parts), apply, parts=parts)


def repeat(block: Layer, n: int, *, name: str = "repeat") -> Layer:
    """Chain of n equal blocks, each with its own parameters, state and key.

    All parameters and state have a leading axis n. `lax.scan` runs the block over this axis,
    so the compiled program has the same size for every n.

    Shapes: x, y and the output of the block have the same shape.
    Options:
        block: the layer to repeat.
        n: number of blocks.
        name: name of the layer, by which an outer `serial` numbers it.
    Raises: ValueError from `init` if the block changes the shape; TypeError if the block is
            not a layer, or n is not an integer.

    >>> params, _, output = fcnn.layers.shapes(fcnn.layers.repeat(fcnn.layers.dense(3), 4), (3,))
    >>> params["w"].shape, output
    ((4, 3, 3), (3,))
    """
    with named(name):
        _require_layers(block)
        require_counts(n=n)

    def init(key, shape):
        _, _, out = shapes(block, shape)
        with named(name):
            same = out == tuple(shape)
            require(same, f"block input {shape} and output {out} differ; use serial")
        keys = jax.vmap(partial(jax.random.fold_in, key))(jnp.arange(n))
        return jax.vmap(lambda key: block.init(key, shape))(keys)

    def apply(params, state, x, *, key=None, train=False):
        def step(x, block_i):
            p, s, i = block_i
            subkey = None if key is None else jax.random.fold_in(key, i)
            return block.apply(p, s, x, key=subkey, train=train)

        return lax.scan(step, x, (params, state, jnp.arange(n)))

    parts = lambda shape: [Part(f"{block.name}{i}", block, shape) for i in range(1, n + 1)]
    return Layer(name, init, apply, parts=parts, input_dtype=block.input_dtype)


def _require_layers(*layers):
    for layer in layers:
        if not isinstance(layer, Layer):
            raise TypeError(f"{layer!r} is not a layer; write layers.relu(), for example")


def _init_parts(parts):
    def init(key, shape):
        params, state = {}, {}
        for i, (part, layer, input_shape) in enumerate(parts(tuple(shape))):
            p, s = layer.init(jax.random.fold_in(key, i), input_shape)
            params |= {part: p} if p else {}
            state |= {part: s} if s else {}
        return params, state

    return init


def _numbered(layers):
    count = Counter()
    names = []
    for layer in layers:
        count[layer.name] += 1
        names.append(f"{layer.name}{count[layer.name]}")
    return names
