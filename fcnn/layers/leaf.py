"""Layers made of functions: what they compute from parameters, state, x and the call."""

from collections.abc import Callable
from typing import Any

import jax

from fcnn.layers.call import Call, Plan, Spec
from fcnn.layers.layer import Layer, Params, State


def leaf(
    name: str,
    f: Callable[[Params, Any, Call], Any],
    init: Callable[[jax.Array, Spec], Params] = lambda key, x: {},
    *,
    parameters: tuple[str, ...] | None = (),
    **facts: Any,
) -> Layer:
    """Layer without state, made of a function of its parameters, x and the call.

    Shapes: x and y have a leading batch axis.
    Options:
        name: kind of the layer.
        f: function (params, x, call) -> y.
        init: function (key, spec of x) -> params.
        parameters: names of the parameters.
        facts: other options of `Layer`, such as reads.

    >>> shift = fcnn.layers.leaf(
    ...     "shift",
    ...     lambda params, x, call: x + params["b"],
    ...     lambda key, x: {"b": jnp.ones(x.shape[-1])},
    ...     parameters=("b",),
    ... )
    >>> shift.apply(*shift.init(jax.random.key(0), (2,)), jnp.zeros((1, 2)))[0]
    Array([[1., 1.]], dtype=float32)
    """
    return with_state(
        name,
        lambda params, state, x, call: (f(params, x, call), {}),
        lambda key, x, plan: (init(key, x), {}),
        parameters=parameters,
        **facts,
    )


def with_state(
    name: str,
    forward: Callable[[Params, State, Any, Call], tuple[Any, State]],
    init: Callable[[jax.Array, Spec, Plan], tuple[Params, State]],
    **facts: Any,
) -> Layer:
    """Layer whose setup traces `forward` for the spec of y.

    Options:
        name: kind of the layer.
        forward: as in `Layer`.
        init: function (key, spec of x, plan) -> params, state.
        facts: other options of `Layer`.

    >>> count = fcnn.layers.with_state(
    ...     "count",
    ...     lambda params, state, x, call: (x, {"calls": state["calls"] + 1}),
    ...     lambda key, x, plan: ({}, {"calls": jnp.zeros((), int)}),
    ...     state=("calls",),
    ... )
    >>> params, state = count.init(jax.random.key(0), (2,))
    >>> count.apply(params, state, jnp.ones((1, 2)))[1]
    {'calls': Array(1, dtype=int32)}
    """

    def setup(key, x, plan):
        params, state = init(key, x, plan)

        def run(params, state, x, inputs):
            return forward(params, state, x, Call(inputs=inputs))[0]

        return params, state, jax.eval_shape(run, params, state, x, dict(plan.inputs))

    return Layer(name, setup, forward, **facts)


def stateless(name: str, f: Callable[[jax.Array], jax.Array], *, positions: str = "each") -> Layer:
    """Layer without parameters, made of a function of x.

    Shapes: x and f(x) have a leading batch axis.
    Options:
        name: kind of the layer.
        f: function from x to y.
        positions: "each", "mixed" or "removed", as in `Layer`.

    >>> halve = fcnn.layers.stateless("halve", lambda x: x / 2)
    >>> halve.apply({}, {}, jnp.array([[3.0]]))[0]
    Array([[1.5]], dtype=float32)
    """
    return leaf(name, lambda params, x, call: f(x), positions=positions)
