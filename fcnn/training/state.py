"""Everything that training carries from one step to the next, as one pytree."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fcnn.layers import Layer
from fcnn.ops.validation import require_key


class TrainState(NamedTuple):
    """`params` and `state` are the model's, `opt_state` is optax's, `key` seeds every step."""

    step: jax.Array
    params: Any
    state: Any
    opt_state: optax.OptState
    key: jax.Array

    def __repr__(self) -> str:
        """The step, and of each tree how many arrays and numbers it has."""
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
    """The state before the first step. `shape` is that of one example.

    vmap it over a batch of keys, and train_step with it, to train many seeds in one program.

    Raises: TypeError for what is no random key.
    """
    require_key("create", key)
    of_init, of_steps = jax.random.split(key)
    params, state = model.init(of_init, shape)
    return TrainState(jnp.zeros((), jnp.int32), params, state, optimizer.init(params), of_steps)


def cast(params: Any, *arrays: jax.Array) -> tuple[jax.Array, ...]:
    """Arrays of floats in the dtype of the parameters, others as they are.

    So float32 data serve parameters in float64 or bfloat16. Parameters of several dtypes leave all
    as it is.
    """
    is_float = lambda a: jnp.issubdtype(a.dtype, jnp.floating)
    dtypes = {p.dtype for p in jax.tree.leaves(params) if is_float(p)}
    if len(dtypes) != 1:
        return arrays
    (dtype,) = dtypes
    return tuple(a.astype(dtype) if is_float(a) else a for a in arrays)
