"""What a trained model says, and how often it is right, a block of examples at a time."""

from typing import Any

import jax
import jax.numpy as jnp

from fcnn.layers import Layer
from fcnn.ops.arrays import as_array
from fcnn.training.state import TrainState, cast
from fcnn.training.step import accuracy


def predict(model: Layer, now: TrainState, x: Any, *, block: int = 500) -> jax.Array:
    """The model's outputs for x, in evaluation mode: no dropout, running statistics.

    Floats in x are converted to the dtype of the parameters.

    Shapes: x (n, ...) -> (n, ...); memory is that of `block` examples.
    """
    (x,) = cast(now.params, examples("predict: x", x))
    n = len(x)
    count = max(1, -(-n // block))
    length = -(-n // count)
    fill = [(0, count * length - n), *[(0, 0)] * (x.ndim - 1)]
    blocks = jnp.pad(x, fill).reshape(count, length, *x.shape[1:])
    y = jax.lax.map(lambda x: model.apply(now.params, now.state, x)[0], blocks)
    return y.reshape(count * length, *y.shape[2:])[:n]


def evaluate(model: Layer, now: TrainState, x: Any, y: Any) -> jax.Array:
    """The share of x whose largest output is its class in y.

    Raises: ValueError unless y has one class per row of outputs, and there are examples; TypeError
            unless classes are integers.
    """
    x, y = examples("evaluate: x", x), examples("evaluate: y", y)
    if len(x) != len(y):
        raise ValueError(f"evaluate: {len(x)} examples but {len(y)} labels")
    if len(x) == 0:
        raise ValueError("evaluate: 0 examples: at least 1 is needed")
    if not jnp.issubdtype(y.dtype, jnp.integer):
        what = f"evaluate: y holds {y.dtype}, not class numbers"
        raise TypeError(f"{what}; write y.astype(int), or compare predict(model, now, x) with y")
    scores = predict(model, now, x)
    if y.shape != scores.shape[:-1]:
        raise ValueError(f"evaluate: labels {y.shape} need one class per row of {scores.shape}")
    return accuracy(scores, y)


def examples(what: str, given: Any) -> jax.Array:
    """`given` as an array with an axis of examples.

    Raises: ValueError for a single number.
    """
    array = as_array(what, given)
    if array.ndim == 0:
        raise ValueError(f"{what} is one number, without an axis of examples")
    return array
