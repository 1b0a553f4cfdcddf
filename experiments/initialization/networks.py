"""The network, its five starts, and what is measured of its parameters.

A start draws the weights of each layer of n inputs as s(n) times normal numbers.
"""

from collections.abc import Callable
from math import sqrt
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import fcnn
from fcnn import layers
from fcnn.layers import Layer, dense, flatten, serial

ACTIVATIONS = {"sigmoid": layers.sigmoid, "tanh": layers.tanh, "relu": layers.relu}
STARTS: dict[str, Callable[[int], float]] = {
    "sd 1": lambda n: 1.0,
    "sd 0.01": lambda n: 0.01,
    "zeros": lambda n: 0.0,
    "Xavier": lambda n: 1 / sqrt(n),
    "He": lambda n: sqrt(2 / n),
}
HIDDEN, UNITS = 5, 100
RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)  # of SGD with momentum
EQUAL = 1e-5  # relative to the largest entry: larger differences are not rounding


def network(activation: str, classes: int) -> Layer:
    """Its dense layers are dense1 to dense5, and the head, dense6."""
    hidden = [part for _ in range(HIDDEN) for part in (dense(UNITS), ACTIVATIONS[activation]())]
    return serial(flatten(), *hidden, dense(classes))


def begun(start: str, params: Any, key: jax.Array) -> Any:
    """Parameters with weights of the start and biases of 0."""
    keys = dict(zip(params, jax.random.split(key, len(params)), strict=True))

    def of(name, layer):
        shape = layer["w"].shape
        w = STARTS[start](shape[0]) * jax.random.normal(keys[name], shape)
        return {"w": w, "b": jnp.zeros_like(layer["b"])}

    return {name: of(name, layer) for name, layer in params.items()}


def activations(model: Layer, activation: str, params: Any, x: jax.Array) -> jax.Array:
    """Outputs of all hidden layers. Shapes: x (n, *size) -> (layers, n, units)."""
    found = []
    for name, layer in model.parts:
        x = layer.apply(params.get(name, {}), {}, x)[0]
        if layer.name == activation:
            found.append(x)
    return jnp.stack(found)


def gradients(model: Layer, params: Any, x: jax.Array, y: jax.Array) -> jax.Array:
    """RMS of the gradient of the mean loss by each hidden layer's weights. Shape (layers,)."""
    outputs = lambda params: model.apply(params, {}, x)[0]
    loss = lambda params: fcnn.softmax_cross_entropy(outputs(params), y).mean()
    gradient = jax.grad(loss)(params)
    return jnp.stack([rms(gradient[f"dense{i}"]["w"]) for i in range(1, HIDDEN + 1)])


def rms(x: jax.Array, axis: Any = None) -> jax.Array:
    """The root of the mean square, which no small number underflows."""
    top = jnp.abs(x).max(axis, keepdims=True)
    scaled = x / jnp.where(top == 0, 1, top)
    return jnp.sqrt((scaled**2).mean(axis)) * top.reshape((scaled**2).mean(axis).shape)


def equal_layers(params: Any) -> int:
    """The number of hidden layers whose units have equal weights in, biases and weights out.

    Params are those of one seed.
    """
    layer = lambda i: {k: np.asarray(a) for k, a in params[f"dense{i}"].items()}
    equal = lambda a, axis: np.ptp(a, axis).max() <= EQUAL * np.abs(a).max()
    return sum(
        equal(layer(i)["w"], 1) and equal(layer(i)["b"], 0) and equal(layer(i + 1)["w"], 0)
        for i in range(1, HIDDEN + 1)
    )
