"""State of training: everything that one step passes to the next, as one pytree."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fcnn.layers import Layer
from fcnn.ops.arrays import is_float
from fcnn.ops.validation import named, require_key


class TrainState(NamedTuple):
    """State of training, a pytree: steps so far, model, optimizer and random key."""

    step: jax.Array  # number of steps so far
    params: Any  # of the model
    state: Any  # of the model, such as running statistics
    opt_state: optax.OptState
    key: jax.Array  # the key of a step is fold_in(key, step)

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
    shape: tuple[int, ...],
    key: jax.Array,
) -> TrainState:
    """State of training before the first step.

    `vmap` of `create` over keys, and of the train step over the states, trains several seeds in one
    program.

    Shapes: `shape` is the shape of one example, without the batch axis; key is one random key.
    Options:
        model: a layer.
        optimizer: of optax.
    Raises: ValueError from an operator if the model does not accept this shape; TypeError if `key`
            is not a random key.

    >>> import optax
    >>> model = fcnn.layers.dense(2)
    >>> train_state = fcnn.training.create(model, optax.adam(1e-3), (3,), jax.random.key(0))
    >>> int(train_state.step), train_state.params["w"].shape
    (0, (3, 2))
    """
    with named("create"):
        require_key(key)
    init_key, step_key = jax.random.split(key)
    params, state = model.init(init_key, shape)
    return TrainState(jnp.zeros((), jnp.int32), params, state, optimizer.init(params), step_key)


def cast(params: Any, *arrays: jax.Array) -> tuple[jax.Array, ...]:
    """Convert arrays of floats to the dtype of the parameters; other arrays are unchanged.

    For example, float32 data are converted for bfloat16 parameters. If the parameters have several
    dtypes, all arrays are unchanged.
    """
    dtypes = {p.dtype for p in jax.tree.leaves(params) if is_float(p)}
    if len(dtypes) != 1:
        return arrays
    (dtype,) = dtypes
    return tuple(a.astype(dtype) if is_float(a) else a for a in arrays)
