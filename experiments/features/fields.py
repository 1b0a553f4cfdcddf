"""Receptive fields: the pixels that a feature depends on, by formula and by its gradient.

For layers with windows k_1, k_2, … and strides s_1, s_2, …, the receptive field has the side

    r = 1 + sum_i (k_i - 1) s_1 … s_(i-1)

The effective receptive field has the pixels whose mean absolute gradient is at least 4.55 % of the
largest. Source: Luo et al. 2016.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fcnn.layers import Layer, serial

INPUTS, SIDE = 50, 24  # random images, and their height and width
EFFECTIVE = 0.0455
WINDOWED = {"conv1": 1, "conv2": 3, "max_pool1": 5, "conv3": 6}  # name → parts up to it
STRIDES = {"max_pool1": 2}


def by_formula(side: int) -> dict[str, int]:
    """The side of the receptive field after each layer with a window."""
    windows = {"conv1": side, "conv2": 3, "max_pool1": 2, "conv3": 3}
    found, reach, step = {}, 1, 1
    for name, window in windows.items():
        reach += (window - 1) * step
        step *= STRIDES.get(name, 1)
        found[name] = reach
    return found


def gradients(model: Layer, params: Any, channels: int) -> dict[str, np.ndarray]:
    """Mean |gradient| of the features in the middle, over features and random images, by layer.

    Shapes: params with a leading axis of seeds -> (seeds, SIDE, SIDE) by layer.
    """
    shape = (INPUTS, 1, SIDE, SIDE, channels)
    x = np.random.default_rng(0).uniform(size=shape).astype(np.float32)

    def of_layer(params, last):
        inner: dict[str, Any] = dict(model.parts[:last])
        own = {k: params[k] for k in inner if k in params}

        def middle(image):
            y = serial(**inner).apply(own, {}, image)[0][0]
            return y[y.shape[0] // 2, y.shape[1] // 2]

        each = jax.lax.map(lambda image: jnp.abs(jax.jacrev(middle)(image)).sum((0, 1, 4)), x)
        return each.mean(0)

    compute = lambda params: {name: of_layer(params, last) for name, last in WINDOWED.items()}
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(compute))(params))


def is_square(gradient: np.ndarray, side: int) -> bool:
    """Whether the pixels with a gradient are exactly a square of `side` × `side`."""
    y, x = np.nonzero(gradient)
    height, width = (int(np.ptp(at)) + 1 if len(at) else 0 for at in (y, x))
    return (height, width, len(y)) == (side, side, side * side)


def effective(gradient: np.ndarray) -> int:
    """The pixels of the effective receptive field."""
    return int((gradient >= EFFECTIVE * gradient.max()).sum())
