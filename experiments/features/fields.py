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

from experiments.features.networks import MAPS, outputs
from fcnn.layers import Layer

INPUTS, SIDE = 10, 16  # random images, and their height and width
EFFECTIVE = 0.0455
WINDOWS = {"conv1": None, "conv2": 3, "max_pool1": 2, "conv3": 3}  # None: that of the first layer
STRIDES = {"max_pool1": 2}


def by_formula(side: int) -> dict[str, int]:
    """The side of the receptive field after each layer with a window."""
    found, reach, step = {}, 1, 1
    for name, window in WINDOWS.items():
        reach += ((window or side) - 1) * step
        step *= STRIDES.get(name, 1)
        found[name] = reach
    return found


def gradients(model: Layer, params: Any, channels: int) -> dict[str, np.ndarray]:
    """Mean |gradient| of the features in the middle, over maps and random images, by layer.

    Shapes: params with a leading axis of seeds -> (seeds, SIDE, SIDE) by layer.
    """
    drawn = np.random.default_rng(0).uniform(size=(INPUTS, SIDE, SIDE, channels))
    x = np.repeat(drawn.astype(np.float32), MAPS, axis=0)  # image i // MAPS, of map i % MAPS
    map_of = np.tile(np.eye(MAPS, dtype=np.float32), (INPUTS, 1))
    dy = np.eye(len(WINDOWS), dtype=np.float32)[:, :, None, None] * map_of

    @jax.jit
    def compute(params):
        def middle(x):
            found = outputs(model, params, x)
            each = [found[name] for name in WINDOWS]
            return jnp.stack([y[:, y.shape[1] // 2, y.shape[2] // 2] for y in each])

        (dx,) = jax.vmap(jax.vjp(middle, x)[1])(dy)
        return jnp.abs(dx).mean((1, 4))

    seeds = len(jax.tree.leaves(params)[0])
    each = [compute(jax.tree.map(lambda a, i=i: a[i], params)) for i in range(seeds)]
    return dict(zip(WINDOWS, np.stack(each, axis=1), strict=True))


def is_square(gradient: np.ndarray, side: int) -> bool:
    """Whether the pixels with a gradient are exactly a square of `side` × `side`."""
    y, x = np.nonzero(gradient)
    height, width = (int(np.ptp(at)) + 1 if len(at) else 0 for at in (y, x))
    return (height, width, len(y)) == (side, side, side * side)


def effective(gradient: np.ndarray) -> int:
    """The pixels of the effective receptive field."""
    return int((gradient >= EFFECTIVE * gradient.max()).sum())
