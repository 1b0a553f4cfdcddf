"""Recurrent layers: an operator over the whole sequence, in one direction or both, layer on layer.

    {"forward1": {"w", "u", "b"}, "backward1": ..., "forward2": ...}

(t, c) becomes (t, features), or (features,) where only the last state is asked for by
`sequence=False`; with both directions it is twice the features, forward first, and the next layer
reads that. Each gate is drawn on its own, since it has a fan of its own. A layer sees x alone, so
all steps count: for `lengths`, or a state to start from, call the operator with a pass's weights.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from fcnn import ops
from fcnn.layers import initializers
from fcnn.layers.initializers import Initializer
from fcnn.layers.layer import Layer, Part
from fcnn.ops.validation import require_counts

ORTHOGONAL = initializers.orthogonal()


def rnn(
    features: int,
    *,
    layers: int = 1,
    bidirectional: bool = False,
    sequence: bool = True,
    activation: str = "tanh",
    w_init: Initializer = initializers.glorot,
    u_init: Initializer = ORTHOGONAL,
) -> Layer:
    """`fcnn.rnn` with its w (c, features), u (features, features) and b (features,)."""

    def biases():
        return {"b": jnp.zeros(features)}

    def one_way(reverse, sequence):
        run = lambda x, params: ops.rnn(x, **params, activation=activation, reverse=reverse)
        return _one_way("rnn", run, 1, features, sequence, w_init, u_init, biases)

    return _stacked("rnn", one_way, features, layers, bidirectional, sequence)


def lstm(
    features: int,
    *,
    layers: int = 1,
    bidirectional: bool = False,
    sequence: bool = True,
    w_init: Initializer = initializers.glorot,
    u_init: Initializer = ORTHOGONAL,
) -> Layer:
    """`fcnn.lstm`, four gates to each of its w, u and b.

    The gate f starts with a bias of 1, so that the cell keeps what it has: Gers et al. 2000.
    """

    def biases():
        return {"b": jnp.repeat(jnp.array([0.0, 1.0, 0.0, 0.0]), features)}

    def one_way(reverse, sequence):
        run = lambda x, params: ops.lstm(x, **params, reverse=reverse)
        return _one_way("lstm", run, 4, features, sequence, w_init, u_init, biases)

    return _stacked("lstm", one_way, features, layers, bidirectional, sequence)


def gru(
    features: int,
    *,
    layers: int = 1,
    bidirectional: bool = False,
    sequence: bool = True,
    reset: str = "after",
    w_init: Initializer = initializers.glorot,
    u_init: Initializer = ORTHOGONAL,
) -> Layer:
    """`fcnn.gru`, three gates to each of its w, u and b; bu (features,) for reset="after" alone."""

    def biases():
        inner = {"bu": jnp.zeros(features)} if reset == "after" else {}
        return {"b": jnp.zeros(3 * features)} | inner

    def one_way(reverse, sequence):
        run = lambda x, params: ops.gru(x, **params, reset=reset, reverse=reverse)
        return _one_way("gru", run, 3, features, sequence, w_init, u_init, biases)

    return _stacked("gru", one_way, features, layers, bidirectional, sequence)


def _one_way(
    name: str,
    run: Callable,
    gates: int,
    features: int,
    sequence: bool,
    w_init: Initializer,
    u_init: Initializer,
    biases: Callable,
) -> Layer:
    """One pass over the sequence: its own parameters, and y or the last state."""

    def init(key, shape):
        if len(shape) != 2:
            raise ValueError(f"{name}: an input {shape} needs 2 axes: steps, features")
        draw = lambda init, key, c: jnp.concatenate(
            [init(k, (c, features)) for k in jax.random.split(key, gates)], axis=1
        )
        for_w, for_u = jax.random.split(key)
        w, u = draw(w_init, for_w, shape[1]), draw(u_init, for_u, features)
        return {"w": w, "u": u, **biases()}, {}

    def apply(params, state, x, *, key=None, train=False):
        y, last, *_ = run(x, params)
        return (y if sequence else last), {}

    def multiply_adds(shape, out):
        t, c = shape
        return gates * t * (c + features) * features

    return Layer(name, init, apply, multiply_adds)


def _stacked(
    name: str,
    one_way: Callable[[bool, bool], Layer],
    features: int,
    layers: int,
    bidirectional: bool,
    sequence: bool,
) -> Layer:
    """Layers of one pass in each direction; all but the last give every step to the next."""
    require_counts(name, features=features, layers=layers)
    ways = {"forward": False, "backward": True} if bidirectional else {"forward": False}
    floors = [
        {f"{way}{i}": one_way(reverse, sequence or i < layers) for way, reverse in ways.items()}
        for i in range(1, layers + 1)
    ]

    def parts(shape):
        above = (shape[0], len(ways) * features)
        return [
            Part(part, layer, above if i else shape)
            for i, floor in enumerate(floors)
            for part, layer in floor.items()
        ]

    def init(key, shape):
        found = parts(shape)
        keys = jax.random.split(key, len(found))
        return {p.name: p.layer.init(k, p.shape)[0] for p, k in zip(found, keys, strict=True)}, {}

    def apply(params, state, x, *, key=None, train=False):
        for floor in floors:
            ys = [layer.apply(params[part], {}, x)[0] for part, layer in floor.items()]
            x = jnp.concatenate(ys, axis=-1)
        return x, {}

    return Layer(name, init, apply, parts=parts)
