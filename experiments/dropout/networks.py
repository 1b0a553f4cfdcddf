"""The network: three hidden layers with relu, each followed by dropout.

flatten, (dense 128, relu, dropout) × 3, dense
"""

from collections.abc import Callable
from typing import Any

import jax

from fcnn import layers
from fcnn.layers import Layer, dense, flatten, initializers, relu, serial

WIDTH, DEPTH = 128, 3
Drop = Callable[[float], Layer]


def network(rate: float, classes: int, *, depth: int = DEPTH, drop: Drop = layers.dropout) -> Layer:
    """`drop` is the form of dropout: `fcnn.layers.dropout`, or `fcnn.layers.classic_dropout`."""
    hidden = [part for _ in range(depth) for part in (dense(WIDTH), relu(), drop(rate))]
    return serial(flatten(), *hidden, dense(classes, w_init=initializers.lecun))


def last_hidden(model: Layer, params: Any, x: jax.Array) -> jax.Array:
    """The input of the last dropout, in evaluation."""
    for name, layer in model.parts[:-2]:
        x, _ = layer.apply(params.get(name, {}), {}, x)
    return x
