"""Deep dense networks with and without batch norm or residual connections, and their gradients."""

from typing import Any

import jax
import jax.numpy as jnp

import fcnn
from fcnn import layers
from fcnn.layers import Layer, batch_norm, dense, flatten, initializers, repeat, residual, serial

UNITS = 64
CLAIMED, TRAINED, DEEPEST = 10, 20, 30  # hidden layers
DEPTHS = (2, 5, CLAIMED, TRAINED, DEEPEST)
ACTIVATIONS = {
    "sigmoid": (layers.sigmoid, initializers.glorot),
    "tanh": (layers.tanh, initializers.glorot),
    "relu": (layers.relu, initializers.he),
}


def network(activation: str, depth: int, classes: int, remedy: str = "plain") -> Layer:
    """`depth` hidden layers, all but the first as one loop."""
    make, w_init = ACTIVATIONS[activation]
    f = [*([batch_norm()] if remedy == "batch norm" else []), make()]
    block = serial(*f, dense(UNITS, w_init=w_init))
    return serial(
        flat=flatten(),
        first=dense(UNITS, w_init=w_init),
        others=repeat(residual(block) if remedy == "residual" else block, depth - 1),
        last=serial(*f),
        head=dense(classes, w_init=w_init),
    )


def gradients(
    model: Layer, params: Any, state: Any, x: jax.Array, y: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Gradients of the mean loss by the weights of the first and of all other hidden layers.

    Shapes: first (c, units), others (depth - 1, units, units).
    """
    outputs = lambda params: model.apply(params, state, x, train=True)[0]
    loss = lambda params: fcnn.softmax_cross_entropy(outputs(params), y).mean()
    gradient = jax.grad(loss)(params)
    (others,) = (a for a in jax.tree.leaves(gradient["others"]) if a.ndim == 3)
    return gradient["first"]["w"], others


def halved_exactly(model: Layer, depth: int, params: Any, x: jax.Array) -> jax.Array:
    """Whether half the parameters give a gradient that is smaller by exactly 2^(depth + 1).

    Shapes: x (n, *size) -> (n, *size), for the gradient of the sum of the logits by x.
    """
    of = lambda params: jax.grad(lambda x: model.apply(params, {}, x)[0].sum())(x)
    half = jax.tree.map(lambda a: a / 2, params)
    return of(params) == jnp.exp2(depth + 1.0) * of(half)
