"""A layer: an operator with its parameters, as a pair of pure functions.

    init(key, shape)                                     -> params, state
    apply(params, state, x, *, key=None, train=False)    -> y, state

`shape` is the shape of one example, without the batch axis. The optimizer updates `params`.
`state`, for example running statistics, is passed from one forward pass to the next. `params` and
`state` are nested dicts with readable names. `params` is {} for a layer without parameters, and
`state` is {} for a layer without state. A layer made of other layers lists them in `parts`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from numbers import Integral
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from fcnn.ops.arrays import as_array
from fcnn.ops.validation import named, require_counts, require_key

Params = dict[str, Any]
State = dict[str, Any]
Dims = tuple[int, ...]


class Part(NamedTuple):
    """A layer within a layer: its name in `params`, and the shape of one example of its input."""

    name: str
    layer: "Layer"
    shape: Dims


@dataclass(frozen=True)
class Layer:
    """A pair of pure functions, init and apply, and their cost.

        init(key, shape)                                     -> params, state
        apply(params, state, x, *, key=None, train=False)    -> y, state

    Shapes: `shape` is the shape of one example; x and y have a leading batch axis.
    Options:
        name: kind of the layer; `serial` numbers the layers of each name.
        init: function that draws `params` and makes the initial `state`.
        apply: forward pass; `train=True` with a `key` for training.
        multiply_adds: function of the shapes of one input and one output; 0 if not given.
        parts: function from the shape of one example to the list of parts, or None.
        input_dtype: float, or int for layers of token ids.

    >>> double = fcnn.layers.Layer(
    ...     "double",
    ...     init=lambda key, shape: ({"w": 2 * jnp.ones(shape[-1])}, {}),
    ...     apply=lambda params, state, x, *, key=None, train=False: (x * params["w"], state),
    ... )
    >>> params, state = double.init(jax.random.key(0), (3,))
    >>> double.apply(params, state, jnp.ones((1, 3)))[0]
    Array([[2., 2., 2.]], dtype=float32)
    """

    name: str
    init: Callable[..., tuple[Params, State]]
    apply: Callable[..., tuple[jax.Array, State]]
    multiply_adds: Callable[[Dims, Dims], int] = lambda shape, out: 0
    parts: Callable[[Dims], list[Part]] | None = None
    input_dtype: type[float] | type[int] = float

    def __post_init__(self):
        """Make init and apply validate `key` and `shape`, and convert x to a JAX array."""
        init, apply = self.init, self.apply

        @wraps(init)
        def with_key(key, shape):
            with named(self.name):
                require_key(key)
                shape = _shape_of_one_example(shape)
            return init(key, shape)

        @wraps(apply)
        def on_array(params, state, x, **options):
            with named(self.name):
                if options.get("key") is not None:
                    require_key(options["key"])
                x = as_array("x", x)
            return apply(params, state, x, **options)

        with_key.__qualname__, on_array.__qualname__ = f"{self.name}.init", f"{self.name}.apply"
        object.__setattr__(self, "init", with_key)
        object.__setattr__(self, "apply", on_array)

    def __repr__(self) -> str:
        return f"<layer {self.name}>"

    @cached_property
    def traced(self) -> Any:
        """Jitted (key, shape) -> params, state, y of one example. Its traces are cached."""

        def run(key, shape):
            params, state = self.init(key, shape)
            y, _ = self.apply(params, state, jnp.zeros((1, *shape), self.input_dtype))
            return params, state, y

        return jax.jit(run, static_argnums=1)


def _shape_of_one_example(shape: Any) -> Dims:
    """`shape` as a tuple of integers; TypeError if it is anything else, for example an array."""
    if isinstance(shape, tuple | list) and all(isinstance(n, Integral) for n in shape):
        return tuple(shape)
    array = getattr(shape, "shape", None)
    given = f"shape {shape!r:.60}" if array is None else f"shape is an array {array}"
    raise TypeError(f"{given}, not a tuple of integers; write x.shape[1:], without the batch")


def shapes(layer: Layer, shape: Dims) -> tuple[Params, State, Dims]:
    """Shapes and dtypes of `params` and `state`, and the shape of one output.

    Shapes: `shape` and the shape of the output are for one example, without the batch axis.
    Options:
        layer: a layer.
    Raises: ValueError from the operator if the layer cannot take an input of this shape.
    Cost:   tracing; nothing is computed.

    >>> params, state, output = fcnn.layers.shapes(fcnn.layers.dense(4), (3,))
    >>> output, params["w"]
    ((4,), ShapeDtypeStruct(shape=(3, 4), dtype=float32))
    """
    params, state, y = layer.traced.eval_shape(jax.random.key(0), tuple(shape))
    return params, state, y.shape[1:]


def stateless(name: str, f: Callable[[jax.Array], jax.Array]) -> Layer:
    """Layer without parameters, made of a function of x.

    Shapes: x and f(x) have a leading batch axis.
    Options:
        name: kind of the layer.
        f: function from x to y.

    >>> halve = fcnn.layers.stateless("halve", lambda x: x / 2)
    >>> halve.apply({}, {}, jnp.array([[3.0]]))[0]
    Array([[1.5]], dtype=float32)
    """

    def apply(params, state, x, *, key=None, train=False):
        return f(x), {}

    return Layer(name, lambda key, shape: ({}, {}), apply)


def require_window(window: Any) -> None:
    """TypeError or ValueError unless `window` is a tuple of positive integers."""
    if not isinstance(window, tuple):
        raise TypeError(f"window {window!r} needs one entry per spatial axis, as in (3, 3)")
    for k in window:
        require_counts(**{"each entry of window": k})
