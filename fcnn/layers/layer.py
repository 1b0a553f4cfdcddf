"""A layer: an operator with its parameters, as two pure functions.

    setup(key, x, plan)              -> params, state, y     x and y are specs: shapes and dtypes
    forward(params, state, x, call)  -> y, state

One pass of `setup` through a network makes every parameter and every intermediate shape. `plan` and
`call` carry the side inputs (`call.py`); combinators pass them on. Users call `init` and `apply`:

    init(key, shape)                                              -> params, state
    apply(params, state, x, *, key=None, train=False, **inputs)   -> y, state

The optimizer updates `params`. `state`, for example running statistics or a decoding cache, is
passed from one forward pass to the next. `params` and `state` are nested dicts with readable names:
{} for a layer without parameters or without state.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from fcnn.layers.cache import require_room
from fcnn.layers.call import Call, Plan, Spec
from fcnn.layers.errors import require_read, suggest
from fcnn.layers.spec import as_arrays, planned, present, set_up
from fcnn.layers.validated import (
    require_facts,
    require_state_of,
    validated_forward,
    validated_setup,
)
from fcnn.ops.validation import named, require_counts, require_flags, require_key

Params = dict[str, Any]
State = dict[str, Any]
MultiplyAdds = Callable[[Spec, Spec, Plan], int]


@dataclass(frozen=True)
class Layer:
    """Two pure functions, setup and forward, and what combinators need to know about them.

        setup(key, x, plan)              -> params, state, y
        forward(params, state, x, call)  -> y, state

    Shapes: arrays and specs have a leading batch axis; x and y may be pytrees.
    Options:
        name: kind of the layer; `serial` numbers the layers of each name.
        setup: draws `params`, makes the initial `state`, and gives the spec of y.
        forward: forward pass; `call.train` with `call.key` for training.
        parts: the layers inside, by name; empty for a layer of its own.
        parameters: names of `params`, for error messages; None if they are not known.
        state: names that `state` must have.
        reads: names of the side inputs that it uses; a layer with parts reads what they read.
        positions: how position i of y depends on x: "each" (on position i only), "mixed" (on
            others too), or "removed" (y has no positions). A mask or lengths that such a layer
            does not read are an error.
        decodes: whether it can process a sequence in pieces, from a cache if it is mixed.
        input_dtype: float, or int for layers of token ids.
        multiply_adds: function of the specs of x and y, and of the plan; None for 0.

    >>> double = fcnn.layers.Layer(
    ...     "double",
    ...     setup=lambda key, x, plan: ({"w": 2 * jnp.ones(x.shape[-1])}, {}, x),
    ...     forward=lambda params, state, x, call: (x * params["w"], state),
    ... )
    >>> params, state = double.init(jax.random.key(0), (3,))
    >>> double.apply(params, state, jnp.ones((1, 3)))[0]
    Array([[2., 2., 2.]], dtype=float32)
    """

    name: str
    setup: Callable[[jax.Array, Spec, Plan], tuple[Params, State, Spec]]
    forward: Callable[[Params, State, Any, Call], tuple[Any, State]]
    parts: tuple[tuple[str, "Layer"], ...] = ()
    parameters: tuple[str, ...] | None = None
    state: tuple[str, ...] = ()
    reads: Collection[str] = frozenset()
    positions: str = "each"
    decodes: bool = False
    input_dtype: Any = float
    multiply_adds: MultiplyAdds | None = None

    def __post_init__(self):
        """Take from the parts what they read, and add validation to setup and forward."""
        require_facts(self)
        inside = [part for _, part in self.parts]
        reads = frozenset(self.reads).union(*(part.reads for part in inside))
        removed = any(part.positions == "removed" for part in inside)
        object.__setattr__(self, "reads", reads)
        object.__setattr__(self, "positions", "removed" if removed else self.positions)
        object.__setattr__(self, "setup", validated_setup(self, self.setup))
        object.__setattr__(self, "forward", validated_forward(self, self.forward))

    def init(
        self,
        key: jax.Array,
        shape: Any,
        *,
        dtype: Any = None,
        **inputs: Any,
    ) -> tuple[Params, State]:
        """Draw the parameters, and make the initial state.

        Shapes: `shape` is the shape of one example, without the batch axis: a tuple, a
                jax.ShapeDtypeStruct, or a pytree of these.
        Options:
            key: random key.
            dtype: of x; the layer's `input_dtype` if None.
            inputs: shapes of side inputs that setup needs, such as context=(s, c).
        Raises: ValueError from the operator if a layer cannot take its input; TypeError if `key`
                is not a random key, or `shape` not a tuple of integers.
        Cost:   draws the parameters; compiles nothing when called inside jax.jit.
        """
        with named(self.name):
            require_key(key)
        params, state, _ = self.setup(key, *planned(self, shape, dtype, inputs))
        return params, state

    def apply(
        self,
        params: Params,
        state: State,
        x: Any,
        *,
        key: jax.Array | None = None,
        train: bool = False,
        **inputs: Any,
    ) -> tuple[Any, State]:
        """Forward pass: y and the new state.

        Shapes: x has a leading batch axis; the docstring of each layer has the shapes of the side
                inputs that it reads.
        Options:
            key: random key, for dropout in training.
            train: whether the pass is for training.
            inputs: side inputs that the layers read, such as lengths=lengths; None for none.
        Raises: TypeError for an input that no layer reads; errors of the layers, with their path.
        """
        with named(self.name):
            if key is not None:
                require_key(key)
            if isinstance(train, Tracer):
                raise TypeError("train is traced; write jax.jit(..., static_argnames='train')")
            require_flags(train=train)
            _require_trees(params=params, state=state)
            inputs = present(inputs)
            require_read(inputs, self.reads, ("key", "train"))
            x, inputs = as_arrays("x", x), {name: as_arrays(name, a) for name, a in inputs.items()}
            require_room(state, x, inputs.get("lengths"))
        call = Call(key, inputs, train)
        with suggest(self.forward, params, state, x, call):
            return self.forward(params, state, x, call)

    def init_cache(
        self,
        state: State,
        shape: Any,
        *,
        batch_size: int,
        length: int,
        dtype: Any = None,
        **inputs: Any,
    ) -> State:
        """State with an empty decoding cache: each `apply` continues where the last one ended.

        Attention keeps keys and values, recurrent layers keep their state, position encodings keep
        the position. A cache starts with zeros. A step beyond `length` is an error, or gives NaN
        where the position is traced, as under jit.

        Shapes: `shape` is the shape of one example; the number of its steps does not matter.
        Options:
            state: state of the model, as `init` or training returns it.
            batch_size: number of sequences.
            length: largest number of steps in a sequence.
            dtype: of x; the layer's `input_dtype` if None.
            inputs: shapes of side inputs that setup needs.
        Raises: TypeError if a layer needs the whole sequence.
        Cost:   traces setup; allocates the cache.
        """
        with named(self.name):
            _require_trees(state=state)
            require_counts(batch_size=batch_size, length=length)
        required: dict[str, tuple[str, ...]] = {}
        observe = lambda layer, plan, *_: required.setdefault(plan.path, layer.state)
        options = {"cache": length, "observe": observe}
        made = set_up(self, *planned(self, shape, dtype, inputs, batch_size, **options))[1]
        with named(self.name):
            require_state_of(required, made, state)
        return _filled(made, state)

    def __repr__(self) -> str:
        return f"<layer {self.name}>"


def _filled(made: Any, state: Any) -> Any:
    """The entries of `state`, and zeros for entries of `made` that state lacks."""
    if isinstance(made, Mapping):
        return {name: _filled(part, state.get(name, {})) for name, part in made.items()}
    return state if hasattr(state, "shape") else jnp.zeros(made.shape, made.dtype)


def _require_trees(**trees):
    for name, tree in trees.items():
        if not isinstance(tree, Mapping):
            write = "write params, state = model.init(key, shape)"
            raise TypeError(f"{name} {tree!r:.60} is not a dict; {write}")
