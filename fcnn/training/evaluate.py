"""Predictions and accuracy of a trained model, one batch of examples at a time."""

from typing import Any

import jax
import jax.numpy as jnp

from fcnn.layers import Layer
from fcnn.ops.arrays import as_array
from fcnn.training.state import TrainState, cast
from fcnn.training.step import accuracy


def predict(model: Layer, train_state: TrainState, x: Any, *, batch_size: int = 500) -> jax.Array:
    """Outputs of a model in evaluation mode: without dropout, with running statistics.

    Floats in x are converted to the dtype of the parameters.

    Shapes: x (n, *shape) -> outputs (n, *out).
    Options:
        model: a layer.
        train_state: state of training, as `create`, a step or `fit` returns it.
        batch_size: largest number of examples computed at a time.
    Raises: ValueError if x has no axis of examples; TypeError if x does not hold numbers.
    Cost:   one forward pass; memory for the activations of `batch_size` examples.

    >>> import optax
    >>> model = fcnn.layers.dense(2, w_init=fcnn.layers.initializers.ones)
    >>> train_state = fcnn.training.create(model, optax.sgd(0.1), (3,), jax.random.key(0))
    >>> fcnn.training.predict(model, train_state, jnp.array([[1.0, 2.0, 3.0]]))
    Array([[6., 6.]], dtype=float32)
    """
    params, state = train_state.params, train_state.state
    (x,) = cast(params, examples("predict: x", x))
    n = len(x)
    count = max(1, -(-n // batch_size))
    length = -(-n // count)
    fill = [(0, count * length - n), *[(0, 0)] * (x.ndim - 1)]
    batches = jnp.pad(x, fill).reshape(count, length, *x.shape[1:])
    y = jax.lax.map(lambda x: model.apply(params, state, x)[0], batches)
    return y.reshape(count * length, *y.shape[2:])[:n]


def evaluate(model: Layer, train_state: TrainState, x: Any, y: Any) -> jax.Array:
    """Accuracy in evaluation mode: share of examples x whose largest output has the index y.

    Shapes: x (n, *shape), y (n, *positions) integer labels of outputs (n, *positions, classes);
            the result is one number.
    Options:
        model: a layer.
        train_state: state of training, as `create`, a step or `fit` returns it.
    Raises: ValueError if there are no examples, or y does not have one label per row of outputs;
            TypeError if labels are not integers.
    Cost:   the cost of `predict`.

    >>> import optax
    >>> model = fcnn.layers.identity()
    >>> train_state = fcnn.training.create(model, optax.sgd(0.1), (2,), jax.random.key(0))
    >>> x = jnp.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]])
    >>> fcnn.training.evaluate(model, train_state, x, jnp.array([0, 1, 0, 0]))
    Array(0.75, dtype=float32)
    """
    x, y = examples("evaluate: x", x), examples("evaluate: y", y)
    if len(x) != len(y):
        raise ValueError(f"evaluate: {len(x)} examples but {len(y)} labels")
    if len(x) == 0:
        raise ValueError("evaluate: 0 examples; at least 1 is needed")
    if not jnp.issubdtype(y.dtype, jnp.integer):
        fix = "write y.astype(int), or compare predict(model, train_state, x) with y"
        raise TypeError(f"evaluate: y holds {y.dtype}, not integer labels; {fix}")
    outputs = predict(model, train_state, x)
    if y.shape != outputs.shape[:-1]:
        raise ValueError(
            f"evaluate: labels have shape {y.shape}; expected {outputs.shape[:-1]}, "
            f"one label per row of outputs {outputs.shape}"
        )
    return accuracy(outputs, y)


def examples(what: str, given: Any) -> jax.Array:
    """`given` as an array with an axis of examples.

    Raises: ValueError for a single number.
    """
    array = as_array(what, given)
    if array.ndim == 0:
        raise ValueError(f"{what} is one number, without an axis of examples")
    return array
