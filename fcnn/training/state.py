"""Everything that training carries from one step to the next, as one pytree."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fcnn.layers import Layer


class TrainState(NamedTuple):
    """`params` and `state` are the model's, `opt_state` is optax's, `key` seeds every step."""

    step: jax.Array
    params: Any
    state: Any
    opt_state: optax.OptState
    key: jax.Array


def create(
    model: Layer,
    optimizer: optax.GradientTransformation,
    shape: tuple[int, ...],
    key: jax.Array,
) -> TrainState:
    """The state before the first step. `shape` is that of one example.

    vmap it over a batch of keys, and train_step with it, to train many seeds in one program.
    """
    of_init, of_steps = jax.random.split(key)
    params, state = model.init(of_init, shape)
    return TrainState(jnp.zeros((), jnp.int32), params, state, optimizer.init(params), of_steps)
