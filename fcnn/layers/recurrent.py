"""Stacks of recurrent layers over whole sequences, in one or both directions.

    params = {"forward1": {"w", "u", "b"}, "backward1": ..., "forward2": ...}

For an example (t, c), the output is (t, features), or the last state (features,) with
`sequence=False`. With both directions, the output has the features of the forward pass,
then the features of the backward pass. The next layer reads all of them. The weights of each gate
are drawn separately, since each gate has its own fans. A layer has no input other than x, so it
reads every step. For `lengths` or an initial state, call the operator with the parameters of one
pass.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from fcnn import ops
from fcnn.layers import initializers
from fcnn.layers.initializers import Initializer
from fcnn.layers.layer import Layer, Part
from fcnn.ops.validation import named, require, require_counts

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
    """`fcnn.rnn` with its parameters.

    Shapes: x (n, t, c) -> y (n, t, f), or (n, f) without `sequence`; f is `features`, or
            2 `features` if bidirectional; per pass: w (c, features), u (features, features),
            b (features,).
    Options:
        features: entries of the state of one pass.
        layers: number of layers; every layer but the last passes all steps to the next.
        bidirectional: whether each layer also reads the sequence in reverse.
        sequence: whether y has every step; if False, y is the last state.
        activation: "tanh" or "relu".
        w_init: initializer of w.
        u_init: initializer of u.
    Raises: ValueError if `features` or `layers` is below 1, or from `init` if an example does not
            have 2 axes.
    Source: Elman 1990.
    """

    def biases():
        return {"b": jnp.zeros(features)}

    def direction(reverse, sequence):
        run = lambda x, params: ops.rnn(x, **params, activation=activation, reverse=reverse)
        return _one_pass("rnn", run, 1, features, sequence, w_init, u_init, biases)

    return _stacked("rnn", direction, features, layers, bidirectional, sequence)


def lstm(
    features: int,
    *,
    layers: int = 1,
    bidirectional: bool = False,
    sequence: bool = True,
    w_init: Initializer = initializers.glorot,
    u_init: Initializer = ORTHOGONAL,
) -> Layer:
    """`fcnn.lstm` with its parameters, four gates in the order i, f, g, o.

    The bias of the forget gate f starts at 1, so that the cell keeps its content at first.

    Shapes: x (n, t, c) -> y (n, t, f), or (n, f) without `sequence`; f is `features`, or
            2 `features` if bidirectional; per pass: w (c, 4 features), u (features, 4 features),
            b (4 features,).
    Options:
        features: entries of the state of one pass.
        layers: number of layers; every layer but the last passes all steps to the next.
        bidirectional: whether each layer also reads the sequence in reverse.
        sequence: whether y has every step; if False, y is the last state.
        w_init: initializer of w, for each gate.
        u_init: initializer of u, for each gate.
    Raises: ValueError if `features` or `layers` is below 1, or from `init` if an example does not
            have 2 axes.
    Source: Hochreiter & Schmidhuber 1997; the bias of 1: Gers, Schmidhuber & Cummins 2000.

    >>> params, _, output = fcnn.layers.shapes(fcnn.layers.lstm(2, layers=2), (5, 3))
    >>> {name: p["w"].shape for name, p in params.items()}, output
    ({'forward1': (3, 8), 'forward2': (2, 8)}, (5, 2))
    """

    def biases():
        return {"b": jnp.repeat(jnp.array([0.0, 1.0, 0.0, 0.0]), features)}

    def direction(reverse, sequence):
        run = lambda x, params: ops.lstm(x, **params, reverse=reverse)
        return _one_pass("lstm", run, 4, features, sequence, w_init, u_init, biases)

    return _stacked("lstm", direction, features, layers, bidirectional, sequence)


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
    """`fcnn.gru` with its parameters, three gates in the order r, z, n.

    Shapes: x (n, t, c) -> y (n, t, f), or (n, f) without `sequence`; f is `features`, or
            2 `features` if bidirectional; per pass: w (c, 3 features), u (features, 3 features),
            b (3 features,), and bu (features,) with reset="after".
    Options:
        features: entries of the state of one pass.
        layers: number of layers; every layer but the last passes all steps to the next.
        bidirectional: whether each layer also reads the sequence in reverse.
        sequence: whether y has every step; if False, y is the last state.
        reset: "after" or "before": where the gate r multiplies, as in `fcnn.gru`.
        w_init: initializer of w, for each gate.
        u_init: initializer of u, for each gate.
    Raises: ValueError if `features` or `layers` is below 1, or from `init` if an example does not
            have 2 axes.
    Source: Cho et al., arXiv:1406.1078.
    """

    def biases():
        bu = {"bu": jnp.zeros(features)} if reset == "after" else {}
        return {"b": jnp.zeros(3 * features)} | bu

    def direction(reverse, sequence):
        run = lambda x, params: ops.gru(x, **params, reset=reset, reverse=reverse)
        return _one_pass("gru", run, 3, features, sequence, w_init, u_init, biases)

    return _stacked("gru", direction, features, layers, bidirectional, sequence)


def _one_pass(
    name: str,
    run: Callable,
    gates: int,
    features: int,
    sequence: bool,
    w_init: Initializer,
    u_init: Initializer,
    biases: Callable,
) -> Layer:
    """Layer of one pass over the sequence, whose output is y or the last state."""

    def init(key, shape):
        with named(name):
            require(len(shape) == 2, f"input {shape} must have 2 axes: steps, features")
        draw = lambda init, key, c: jnp.concatenate(
            [init(k, (c, features)) for k in jax.random.split(key, gates)], axis=1
        )
        w_key, u_key = jax.random.split(key)
        w, u = draw(w_init, w_key, shape[1]), draw(u_init, u_key, features)
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
    direction: Callable[[bool, bool], Layer],
    features: int,
    layers: int,
    bidirectional: bool,
    sequence: bool,
) -> Layer:
    """Stack of layers with one pass per direction; each layer passes every step to the next."""
    with named(name):
        require_counts(features=features, layers=layers)
    reversed_by_name = {"forward": False} | ({"backward": True} if bidirectional else {})
    stacked_layers = [
        {
            f"{way}{i}": direction(reverse, sequence or i < layers)
            for way, reverse in reversed_by_name.items()
        }
        for i in range(1, layers + 1)
    ]

    def parts(shape):
        inner = (shape[0], len(reversed_by_name) * features)
        return [
            Part(part, one_pass, inner if i else shape)
            for i, passes in enumerate(stacked_layers)
            for part, one_pass in passes.items()
        ]

    def init(key, shape):
        passes = parts(shape)
        keys = jax.random.split(key, len(passes))
        return {p.name: p.layer.init(k, p.shape)[0] for p, k in zip(passes, keys, strict=True)}, {}

    def apply(params, state, x, *, key=None, train=False):
        for passes in stacked_layers:
            ys = [one_pass.apply(params[part], {}, x)[0] for part, one_pass in passes.items()]
            x = jnp.concatenate(ys, axis=-1)
        return x, {}

    return Layer(name, init, apply, parts=parts)
