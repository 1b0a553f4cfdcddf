"""State of training: everything that one step passes to the next, as one pytree."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fcnn.layers import Layer
from fcnn.ops.validation import named, require, require_key
from fcnn.training.parts import require_layer, require_optimizer
from fcnn.training.paths import with_paths


class TrainState(NamedTuple):
    """State of training, a pytree: everything that a run needs to continue."""

    step: jax.Array  # number of steps so far
    params: Any  # of the model
    state: Any  # of the model, such as running statistics
    opt_state: optax.OptState
    key: jax.Array  # the key of a step is fold_in(key, step)
    callbacks: Any = None  # the state of each callback of `fit`, by name
    totals: Any = None  # of the metrics of `fit`, since they were last reported

    def __repr__(self) -> str:
        """The step, and for each tree how many numbers and arrays it has, in one line."""
        trees = {name: getattr(self, name) for name in ("params", "state", "opt_state")}
        each = (f"{name}: {_counted(tree)}" for name, tree in trees.items())
        return f"TrainState(step {self.step}, {', '.join(each)})"


def _counted(tree):
    leaves = jax.tree.leaves(tree)
    return f"{sum(map(jnp.size, leaves)):,} numbers in {len(leaves)} arrays"


def create(
    model: Layer,
    optimizer: optax.GradientTransformation,
    shape: Any,
    key: jax.Array,
    *,
    params: Any = None,
    state: Any = None,
    **inputs: Any,
) -> TrainState:
    """State of training before the first step.

    `vmap` of `create` over keys, and of the train step over the states, trains several seeds in one
    program.

    Shapes: `shape` is the shape of one example, without the batch axis; key is one random key.
    Options:
        model: a layer.
        optimizer: of optax.
        shape: a tuple of integers, or a pytree of these.
        params: parameters to begin with, such as those of a trained model; drawn if None.
        state: of the model, which belongs to these parameters, if it has any.
        inputs: shapes of side inputs that the parameters depend on, as in `model.init`.
    Raises: ValueError from an operator if the model does not accept this shape; TypeError if `key`
            is not a random key.

    >>> import optax
    >>> model = fcnn.layers.dense(2)
    >>> train_state = fcnn.training.create(model, optax.adam(1e-3), (3,), jax.random.key(0))
    >>> int(train_state.step), train_state.params["w"].shape
    (0, (3, 2))
    """
    with named("create"):
        require_layer(model)
        require_optimizer(optimizer)
        require_key(key)
    init_key, step_key = jax.random.split(key)
    init = lambda key: model.init(key, shape, **inputs)
    if params is not None:
        with named("create"):
            drawn, made = jax.eval_shape(init, init_key)
            _require_like("params", params, drawn)
            if state is None and made:
                write = "write state=trained.state, which belongs to these params"
                raise ValueError(f"params without state, but the model has state; {write}")
            _require_like("state", {} if state is None else state, made)
    if params is None:
        params, made = init(init_key)
        state = made if state is None else state
    state = {} if state is None else state
    return TrainState(jnp.zeros((), jnp.int32), params, state, optimizer.init(params), step_key)


def _require_like(what, tree, expected):
    """ValueError unless `tree` has the paths and shapes of the model's."""
    shapes_of = lambda tree: {path: jnp.shape(a) for path, a in with_paths(tree)}
    given, wanted = shapes_of(tree), shapes_of(expected)
    for path in {**wanted, **given}:
        one, other = (f"{shapes.get(path, 'missing')}" for shapes in (given, wanted))
        require(one == other, f"{what}: {path or 'the tree'} is {one}, but the model has {other}")
