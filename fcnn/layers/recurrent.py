"""Recurrent layers: one pass over a sequence, with trained kernels and biases.

    params = {"w": from x, "u": from the state, "b": ...}       the weights of all gates, in order

The weights of each gate are drawn separately, since each gate has its own fans. For several layers
write serial(lstm(64), dropout(0.2), lstm(64)), for both directions bidirectional(lstm(64)). The
last step of example n is step lengths[n] - 1, or the last one of x. A decoding cache is the state
after the last step, from which the next call continues.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from fcnn import ops
from fcnn.layers import initializers
from fcnn.layers.cache import require_batch
from fcnn.layers.errors import require_names
from fcnn.layers.initializers import Initializer
from fcnn.layers.layer import Layer
from fcnn.layers.leaf import with_state
from fcnn.ops.validation import named, require, require_counts, require_flags

ORTHOGONAL = initializers.orthogonal()


def rnn(
    features: int,
    *,
    sequence: bool = True,
    activation: str = "tanh",
    w_init: Initializer = initializers.glorot,
    u_init: Initializer = ORTHOGONAL,
) -> Layer:
    """`fcnn.rnn` with its parameters.

    Shapes: x (n, t, c) -> y (n, t, features), or (n, features) without `sequence`; params:
            w (c, features), u (features, features), b (features,). Reads: lengths (n,).
            Cache: h (n, features).
    Options:
        features: entries of the state.
        sequence: whether y has every step; if False, y is the state after the last step.
        activation: "tanh" or "relu".
        w_init: initializer of w.
        u_init: initializer of u.
    Raises: ValueError if `features` is below 1, or from `init` if an example does not have 2 axes.
    Source: Elman 1990.

    >>> rnn = fcnn.layers.rnn(2)
    >>> params, state = rnn.init(jax.random.key(0), (5, 3))
    >>> cache = rnn.init_cache(state, (5, 3), batch_size=4, length=5)
    >>> y, cache = rnn.apply(params, cache, jnp.ones((4, 1, 3)))  # one step
    >>> y.shape, bool((cache["h"] == y[:, 0]).all())
    ((4, 1, 2), True)
    """

    def biases():
        return {"b": jnp.zeros(features)}

    def run(x, **arrays):
        return ops.rnn(x, **arrays, activation=activation)

    return _recurrent("rnn", run, 1, features, sequence, (w_init, u_init), biases, ("h",))


def lstm(
    features: int,
    *,
    sequence: bool = True,
    w_init: Initializer = initializers.glorot,
    u_init: Initializer = ORTHOGONAL,
) -> Layer:
    """`fcnn.lstm` with its parameters, four gates in the order i, f, g, o.

    The bias of the forget gate f starts at 1, so that the cell keeps its content at first.

    Shapes: x (n, t, c) -> y (n, t, features), or (n, features) without `sequence`; params:
            w (c, 4 features), u (features, 4 features), b (4 features,). Reads: lengths (n,).
            Cache: h and c (n, features).
    Options:
        features: entries of the state.
        sequence: whether y has every step; if False, y is the state after the last step.
        w_init: initializer of w, for each gate.
        u_init: initializer of u, for each gate.
    Raises: ValueError if `features` is below 1, or from `init` if an example does not have 2 axes.
    Source: Hochreiter & Schmidhuber 1997; the bias of 1: Gers, Schmidhuber & Cummins 2000.

    >>> lstm = fcnn.layers.lstm(2, sequence=False)
    >>> params, state = lstm.init(jax.random.key(0), (5, 3))
    >>> y, _ = lstm.apply(params, state, jnp.ones((4, 5, 3)), lengths=jnp.array([5, 3, 1, 0]))
    >>> y.shape, y[3]  # no step: the initial state
    ((4, 2), Array([0., 0.], dtype=float32))
    """

    def biases():
        return {"b": jnp.repeat(jnp.array([0.0, 1.0, 0.0, 0.0]), features)}

    inits = w_init, u_init
    return _recurrent("lstm", ops.lstm, 4, features, sequence, inits, biases, ("h", "c"))


def gru(
    features: int,
    *,
    sequence: bool = True,
    reset: str = "after",
    w_init: Initializer = initializers.glorot,
    u_init: Initializer = ORTHOGONAL,
) -> Layer:
    """`fcnn.gru` with its parameters, three gates in the order r, z, n.

    Shapes: x (n, t, c) -> y (n, t, features), or (n, features) without `sequence`; params:
            w (c, 3 features), u (features, 3 features), b (3 features,), and bu (features,) with
            reset="after". Reads: lengths (n,). Cache: h (n, features).
    Options:
        features: entries of the state.
        sequence: whether y has every step; if False, y is the state after the last step.
        reset: "after" or "before": where the gate r multiplies, as in `fcnn.gru`.
        w_init: initializer of w, for each gate.
        u_init: initializer of u, for each gate.
    Raises: ValueError if `features` is below 1, or from `init` if an example does not have 2 axes.
    Source: Cho et al., arXiv:1406.1078.

    >>> params, _, y = fcnn.layers.shapes(fcnn.layers.gru(4, sequence=False), (5, 3))
    >>> params["w"].shape, y.shape
    ((3, 12), (4,))
    """

    def biases():
        bu = {"bu": jnp.zeros(features)} if reset == "after" else {}
        return {"b": jnp.zeros(3 * features)} | bu

    def run(x, **arrays):
        return ops.gru(x, **arrays, reset=reset)

    return _recurrent("gru", run, 3, features, sequence, (w_init, u_init), biases, ("h",))


def _recurrent(
    name: str,
    op: Callable[..., tuple[jax.Array, ...]],
    gates: int,
    features: int,
    sequence: Any,
    inits: tuple[Initializer, Initializer],
    biases: Callable[[], dict[str, jax.Array]],
    carried: tuple[str, ...],
) -> Layer:
    """Layer of an operator whose outputs are y and the arrays `carried` from step to step."""
    with named(name):
        require_counts(features=features)
        require_flags(sequence=sequence)

    def init(key, x, plan):
        keep = "; a recurrent layer with sequence=True keeps the steps"
        needs = f"input {x.shape[1:]} must have 2 axes: steps, features"
        require(len(x.shape) == 3, needs + (keep if len(x.shape) == 2 else ""))
        draw = lambda init, key, c: jnp.concatenate(
            [init(k, (c, features)) for k in jax.random.split(key, gates)], axis=1
        )
        w_key, u_key = jax.random.split(key)
        w, u = draw(inits[0], w_key, x.shape[2]), draw(inits[1], u_key, features)
        zero = jnp.zeros((x.shape[0], features), plan.dtype or x.dtype)
        cache = {} if plan.cache is None else dict.fromkeys(carried, zero)
        return {"w": w, "u": u, **biases()}, cache

    def forward(params, state, x, call):
        if state:  # a cache
            require_names(state, carried, call.path, what="state", all_of_them=True)
        for a in state.values():
            require_batch(a, x)
        start = {letter: a.astype(x.dtype) for letter, a in state.items()}
        y, *last = op(x, **params, **start, lengths=call.inputs.get("lengths"))
        ends = dict(zip(carried, last, strict=True))
        new_state = {letter: ends[letter].astype(a.dtype) for letter, a in state.items()}
        return (y if sequence else last[0]), new_state

    return with_state(
        name,
        forward,
        init,
        parameters=("w", "u", *jax.eval_shape(biases)),
        reads=frozenset({"lengths"}),
        positions="mixed" if sequence else "removed",
        decodes=True,
        multiply_adds=lambda x, y, plan: gates * x.shape[1] * (x.shape[2] + features) * features,
    )
