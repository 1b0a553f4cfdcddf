"""A layer: an operator together with its parameters, as a pair of pure functions.

    init(key, shape)                                     -> params, state
    apply(params, state, x, *, key=None, train=False)    -> y, state

`shape` is that of one example, without the batch axis. Parameters are what the optimizer moves;
state is what a forward pass hands to the next (running statistics); both are nested dicts with
readable names, and {} where there is nothing. A layer made of layers says so with `parts`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from fcnn.ops.arrays import as_array
from fcnn.ops.validation import require_counts, require_key

Params = dict[str, Any]
State = dict[str, Any]
Dims = tuple[int, ...]


class Part(NamedTuple):
    """A layer within a layer: its name among `params`, and the shape of an example that it sees."""

    name: str
    layer: "Layer"
    shape: Dims


@dataclass(frozen=True)
class Layer:
    """Two pure functions and what they cost.

    multiply_adds: from the shapes of one example, in and out, to a number.
    parts:         from the shape of one example to the layers that this one is made of.
    takes:         the numbers that an example is made of: float, or int for class numbers.
    """

    name: str
    init: Callable[..., tuple[Params, State]]
    apply: Callable[..., tuple[jax.Array, State]]
    multiply_adds: Callable[[Dims, Dims], int] = lambda shape, out: 0
    parts: Callable[[Dims], list[Part]] | None = None
    takes: type[float] | type[int] = float

    def __post_init__(self):
        """What is no random key is refused; x, as a list for example, becomes a JAX array."""
        init, apply, what = self.init, self.apply, f"{self.name}: x"

        @wraps(init)
        def by_key(key, shape):
            require_key(self.name, key)
            return init(key, shape)

        @wraps(apply)
        def of_array(params, state, x, **how):
            if how.get("key") is not None:
                require_key(self.name, how["key"])
            return apply(params, state, as_array(what, x), **how)

        object.__setattr__(self, "init", by_key)
        object.__setattr__(self, "apply", of_array)

    def __repr__(self) -> str:
        return f"<layer {self.name}>"

    @cached_property
    def traced(self) -> Any:
        """(key, shape) -> params, state and y of one example; jit keeps each trace for `shapes`."""

        def run(key, shape):
            params, state = self.init(key, shape)
            y, _ = self.apply(params, state, jnp.zeros((1, *shape), self.takes))
            return params, state, y

        return jax.jit(run, static_argnums=1)


def shapes(layer: Layer, shape: Dims) -> tuple[Params, State, Dims]:
    """What `init` would give, as shapes and dtypes, and the shape of one output; nothing is run.

    Raises: ValueError, from the operator, if the layer cannot take such an input.
    """
    params, state, y = layer.traced.eval_shape(jax.random.key(0), tuple(shape))
    return params, state, y.shape[1:]


def stateless(name: str, f: Callable[[jax.Array], jax.Array]) -> Layer:
    """A layer without parameters."""

    def apply(params, state, x, *, key=None, train=False):
        return f(x), {}

    return Layer(name, lambda key, shape: ({}, {}), apply)


def require_window(name: str, window: Any) -> None:
    """TypeError or ValueError unless `window` is a tuple of positive integers."""
    if not isinstance(window, tuple):
        raise TypeError(f"{name}: window {window!r} needs one entry per spatial axis, as in (3, 3)")
    for k in window:
        require_counts(name, **{"each entry of window": k})
