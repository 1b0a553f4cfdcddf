"""Layers made of layers: one after the other, or around a shortcut.

    serial(f, g)      y = g(f(x))
    residual(f)       y = x + f(x)           residual(f, shortcut)   y = shortcut(x) + f(x)

Each part is named after its kind and counted, as in {"conv1": ..., "conv2": ..., "dense1": ...};
parts without parameters, or without state, leave no entry.
"""

from collections import Counter

import jax

from fcnn.layers.layer import Layer, Part, shapes


def serial(*layers: Layer, name: str = "serial") -> Layer:
    """One layer after another, each with a key of its own; with no layers, the identity."""
    for layer in layers:
        if not isinstance(layer, Layer):
            raise TypeError(f"{name}: {layer!r} is no layer; write layers.relu(), for example")
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
