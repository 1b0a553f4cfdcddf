"""Receptive fields: the pixels that a feature depends on, by formula and by its gradient.

For layers with windows k_1, k_2, … and strides s_1, s_2, …, the receptive field has the side

    r = 1 + sum_i (k_i - 1) s_1 … s_(i-1)

The effective receptive field has the pixels whose mean absolute gradient is at least 4.55 % of the
largest. Source: Luo et al. 2016.
"""

from collections.abc import Collection, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.features.networks import MAPS, Parts, chain, outputs

INPUTS, SIDE = 10, 16  # random images, and their height and width for the trained network
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


def random_images(count: int, side: int, channels: int) -> np.ndarray:
    """Uniform values. Shape (count, side, side, channels)."""
    drawn = np.random.default_rng(0).uniform(size=(count, side, side, channels))
    return drawn.astype(np.float32)


def gradients(parts: Parts, params: Any, x: np.ndarray, names: Collection[str]) -> np.ndarray:
    """Mean |gradient| of the features in the middle, over maps and images, by part of `names`.

    Shapes: params with a leading axis of seeds, x (n, side, side, channels) -> (parts, seeds, side,
    side).
    """
    one = np.eye(len(names) * MAPS, dtype=np.float32)  # each row selects a part and a map
    dy = np.tile(one.reshape(-1, len(names), 1, MAPS), (1, 1, len(x), 1))

    @jax.jit
    def compute(params):
        def middle(x):
            found = outputs(parts, params, x)
            each = [found[name] for name in names]
            return jnp.stack([y[:, y.shape[1] // 2, y.shape[2] // 2] for y in each])

        (dx,) = jax.vmap(jax.vjp(middle, x)[1])(dy)
        return jnp.abs(dx).reshape(len(names), -1, *x.shape[1:]).mean((1, 4))

    params = jax.tree.map(np.asarray, params)
    seeds = len(jax.tree.leaves(params)[0])
    each = [compute(jax.tree.map(lambda a, i=i: a[i], params)) for i in range(seeds)]
    return np.stack(each, axis=1)


def field(gradients: np.ndarray, side: int) -> dict[str, Any]:
    """The receptive field of a feature by the formula, and by its gradient of each seed."""
    return {
        "side": side,
        "exact": [is_square(gradient, side) for gradient in gradients],
        "effective": [effective(gradient) for gradient in gradients],
    }


def chains(seeds: int, depths: Sequence[int]) -> dict[str, Any]:
    """Receptive fields of chains of convolutions with random weights, by number of layers.

    The gradient is that of the first seed, in the pixels of the receptive field.
    """
    model = chain(depths)
    sides = [2 * depth + 1 for depth in depths]
    x = random_images(1, sides[-1], MAPS)
    keys = jax.random.split(jax.random.key(0), seeds)
    params = jax.jit(jax.vmap(lambda key: model.init(key, x.shape[1:])[0]))(keys)
    found, by_depth = {}, gradients(model.parts, params, x, [name for name, _ in model.parts])
    for depth, side, each in zip(depths, sides, by_depth, strict=True):
        margin = (sides[-1] - side) // 2
        inside = each[0][margin : margin + side, margin : margin + side]
        found[str(depth)] = field(each, side) | {"gradient": inside.tolist()}
    return found


def is_square(gradient: np.ndarray, side: int) -> bool:
    """Whether the pixels with a gradient are exactly a square of `side` × `side`."""
    y, x = np.nonzero(gradient)
    height, width = (int(np.ptp(at)) + 1 if len(at) else 0 for at in (y, x))
    return (height, width, len(y)) == (side, side, side * side)


def effective(gradient: np.ndarray) -> int:
    """The pixels of the effective receptive field."""
    return int((gradient >= EFFECTIVE * gradient.max()).sum())
