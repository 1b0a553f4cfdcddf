"""The network, its five starts, and what is measured of its parameters.

A start multiplies normal numbers by s(n) in each layer of n inputs.
"""

from collections.abc import Callable
from math import sqrt
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import fcnn
from fcnn import layers
from fcnn.layers import Layer, dense, flatten, initializers, serial

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
TINY = 1e-30  # weights near the smallest number of float32 are rounded to few digits


def network(activation: str, classes: int) -> Layer:
    """Its dense layers are dense1 to dense5, and the head, dense6, all from sd 1."""
    normal = initializers.normal(1.0)
    hidden = [(dense(UNITS, w_init=normal), ACTIVATIONS[activation]()) for _ in range(HIDDEN)]
    stages = [part for pair in hidden for part in pair]
    return serial(flatten(), *stages, dense(classes, w_init=normal))


def begun(start: str, params: Any, key: jax.Array) -> Any:
    """The parameters of `network`, scaled to those of the start; nothing is drawn by `key`."""
    s = STARTS[start]
    return {k: {"w": s(len(p["w"])) * p["w"], "b": p["b"]} for k, p in params.items()}


def activations(model: Layer, activation: str, params: Any, x: Any) -> jax.Array:
    """Outputs of all hidden layers. Shapes: x (n, *size) -> (layers, n, units)."""
    found = []
    for name, layer in model.parts:
        x = layer.apply(params.get(name, {}), {}, x)[0]
        if layer.name == activation:
            found.append(x)
    return jnp.stack(found)


def gradients(model: Layer, params: Any, x: Any, y: Any) -> list[jax.Array]:
    """Gradients of the mean loss by the weights of the hidden layers."""
    outputs = lambda params: model.apply(params, {}, x)[0]
    loss = lambda params: fcnn.softmax_cross_entropy(outputs(params), y).mean()
    gradient = jax.grad(loss)(params)
    return [gradient[f"dense{i}"]["w"] for i in range(1, HIDDEN + 1)]


def rms(x: jax.Array | np.ndarray) -> np.ndarray:
    """The root of the mean square over the last two axes, in float64: no square underflows."""
    return np.sqrt(np.mean(np.asarray(x, np.float64) ** 2, axis=(-2, -1)))


def equal_layers(params: Any) -> int:
    """The number of hidden layers whose units have equal weights in, biases and weights out.

    Params are those of one seed.
    """
    layer = lambda i: {k: np.asarray(a) for k, a in params[f"dense{i}"].items()}
    equal = lambda a, axis: np.ptp(a, axis).max() <= EQUAL * np.abs(a).max() + TINY
    one = lambda i: (
        equal(layer(i)["w"], 1) and equal(layer(i)["b"], 0) and equal(layer(i + 1)["w"], 0)
    )
    return sum(bool(one(i)) for i in range(1, HIDDEN + 1))
