"""Layers made of layers: one after the other, around a shortcut, or the same one many times.

    serial(f, g)      y = g(f(x))
    residual(f)       y = x + f(x)           residual(f, shortcut)   y = shortcut(x) + f(x)
    repeat(f, 3)      y = f3(f2(f1(x)))      f1, f2 and f3 differ in their parameters alone

Each part is named after its kind and counted, as in {"conv1": ..., "conv2": ..., "dense1": ...};
parts without parameters, or without state, leave no entry. The parameters of `repeat` are those of
one part, with an axis in front.
"""

from collections import Counter
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from fcnn.layers.layer import Layer, Part, shapes
from fcnn.ops.validation import require, require_counts


def serial(*layers: Layer, name: str = "serial") -> Layer:
    """One layer after another, each with a key of its own; with no layers, the identity."""
    _require_layers(name, *layers)
    names = _numbered(layers)

    def parts(shape):
        found = []
        for part_name, layer in zip(names, layers, strict=True):
            found.append(Part(part_name, layer, shape))
            _, _, shape = shapes(layer, shape)
        return found

    def apply(params, state, x, *, key=None, train=False):
        new = {}
        for i, (part, layer) in enumerate(zip(names, layers, strict=True)):
            own = None if key is None else jax.random.fold_in(key, i)
            x, s = layer.apply(params.get(part, {}), state.get(part, {}), x, key=own, train=train)
            new |= {part: s} if s else {}
        return x, new

    takes = layers[0].takes if layers else float
    return Layer(name, _init_parts(parts), apply, parts=parts, takes=takes)


def residual(body: Layer, shortcut: Layer | None = None, *, name: str = "residual") -> Layer:
    """body(x) + shortcut(x), where the shortcut is x itself unless given. Source: He et al. 2015.

    Raises: ValueError if the two differ in shape.
    """

    def parts(shape):
        found = [Part("body", body, shape)]
        return found if shortcut is None else [*found, Part("shortcut", shortcut, shape)]

    def apply(params, state, x, *, key=None, train=False):
        keys = (None, None) if key is None else jax.random.split(key)
        own = lambda part: (params.get(part, {}), state.get(part, {}))
        y, new = body.apply(*own("body"), x, key=keys[0], train=train)
        around = {}
        if shortcut is not None:
            x, around = shortcut.apply(*own("shortcut"), x, key=keys[1], train=train)
        if x.shape != y.shape:
            raise ValueError(f"{name}: the body gives {y.shape} but the shortcut {x.shape}")
        kept = {"body": new, "shortcut": around}
        return x + y, {part: s for part, s in kept.items() if s}

    return Layer(name, _init_parts(parts), apply, parts=parts)


def repeat(block: Layer, n: int, *, name: str = "repeat") -> Layer:
    """n blocks of one kind in a row, each with parameters, state and a key of its own.

    All parameters and state have a leading axis n, over which `lax.scan` runs the block: one
    program, compiled once, however large n is.

    Raises: ValueError, by `init`, if the block gives another shape than it takes.
    """
    _require_layers(name, block)
    require_counts(name, n=n)

    def init(key, shape):
        _, _, out = shapes(block, shape)
        require(out == tuple(shape), f"{name}: the block takes {shape} but gives {out}")
        keys = jax.vmap(partial(jax.random.fold_in, key))(jnp.arange(n))
        return jax.vmap(lambda key: block.init(key, shape))(keys)

    def apply(params, state, x, *, key=None, train=False):
        def step(x, one):
            p, s, i = one
            own = None if key is None else jax.random.fold_in(key, i)
            return block.apply(p, s, x, key=own, train=train)

        return lax.scan(step, x, (params, state, jnp.arange(n)))

    parts = lambda shape: [Part(f"{block.name}{i}", block, shape) for i in range(1, n + 1)]
    return Layer(name, init, apply, parts=parts, takes=block.takes)


def _require_layers(name, *layers):
    for layer in layers:
        if not isinstance(layer, Layer):
            raise TypeError(f"{name}: {layer!r} is no layer; write layers.relu(), for example")


def _init_parts(parts):
    def init(key, shape):
        params, state = {}, {}
        for i, (part, layer, seen) in enumerate(parts(tuple(shape))):
            p, s = layer.init(jax.random.fold_in(key, i), seen)
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
