"""What a trained model says, and how often it is right, a block of examples at a time."""

import jax
import jax.numpy as jnp

from fcnn.layers import Layer
from fcnn.training.state import TrainState
from fcnn.training.step import accuracy


def predict(model: Layer, now: TrainState, x: jax.Array, *, block: int = 500) -> jax.Array:
    """The model's outputs for x, in evaluation mode: no dropout, running statistics.

    Shapes: x (n, ...) -> (n, ...); memory is that of `block` examples.
    """
    n = len(x)
    count = max(1, -(-n // block))
    length = -(-n // count)
    fill = [(0, count * length - n), *[(0, 0)] * (x.ndim - 1)]
    blocks = jnp.pad(x, fill).reshape(count, length, *x.shape[1:])
    y = jax.lax.map(lambda x: model.apply(now.params, now.state, x)[0], blocks)
    return y.reshape(count * length, *y.shape[2:])[:n]


def evaluate(model: Layer, now: TrainState, x: jax.Array, y: jax.Array) -> jax.Array:
    """The share of x whose largest output is its class in y.

    Raises: ValueError unless y has one class per row of outputs.
    """
    scores = predict(model, now, x)
    if y.shape != scores.shape[:-1]:
        raise ValueError(f"evaluate: labels {y.shape} need one class per row of {scores.shape}")
    return accuracy(scores, y)
