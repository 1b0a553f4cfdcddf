"""Distances of mini-batch gradients from the gradient of all images, in float64."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.flatten_util import ravel_pytree

import fcnn
from experiments.framework.experiment import Log
from fcnn.data import Images
from fcnn.layers import Layer
from fcnn.training import shuffled_indices

SIZES = (1, 4, 16, 64, 256)  # images that are drawn with replacement
DRAWS = 400  # mini-batches of each size
ROUNDING = 1e-12  # relative to the largest entry of the gradient


def gradients(model: Layer, params: Any, images: Any, indices: jax.Array) -> jax.Array:
    """The gradient of the mean loss of each mini-batch. Shapes: (k, n) -> (k, parameters)."""
    x, y = images

    def one(batch):
        loss = lambda p: fcnn.softmax_cross_entropy(model.apply(p, {}, x[batch])[0], y[batch])
        return ravel_pytree(jax.grad(lambda p: loss(p).mean())(params))[0]

    return jax.lax.map(one, indices)


def measured(
    model: Layer,
    points: dict[str, Any],
    images: Images,
    batches: Iterable[int],
    log: Log,
    *,
    sizes: tuple[int, ...] = SIZES,
    draws: int = DRAWS,
) -> dict[str, Any]:
    """Noise at each point and seed; and the epochs whose mean gradient is that of all images.

    Options:
        points: parameters with an axis of seeds, by name.
        batches: sizes of the mini-batches of an epoch, which divide the number of images.
    """
    found: dict[str, Any] = {name: [] for name in points}
    equal: list[bool] = []
    with jax.enable_x64(True):
        of = jax.jit(partial(gradients, model))
        wide = lambda tree: jax.tree.map(lambda a: np.asarray(a, np.float64), tree)
        data = jax.device_put((wide(images.x), images.y))
        for name, params in points.items():
            for seed in range(len(jax.tree.leaves(params)[0])):
                log.show(f"noise at {name} parameters · seed {seed}", 0.0)
                one = wide(jax.tree.map(lambda a, seed=seed: a[seed], params))
                found[name].append(
                    _noise(partial(of, one, data), len(images.y), sizes, draws, seed)
                )
                equal += _epochs(partial(of, one, data), len(images.y), batches, seed)
    return {"points": found, "equal": [sum(equal), len(equal)]}


def _noise(of, n, sizes, draws, seed):
    rng = np.random.default_rng(seed)
    full = np.asarray(of(np.arange(n)[None]))[0]
    distance = lambda indices: float(np.sqrt(((np.asarray(of(indices)) - full) ** 2).sum(1).mean()))
    noise = {str(size): distance(rng.integers(n, size=(draws, size))) for size in sizes}
    half = np.stack([rng.permutation(n)[: n // 2] for _ in range(draws)])
    sigma = distance(np.arange(n)[:, None])
    formula = sigma * finite_population(n // 2, n)
    return {"noise": noise, "sigma": sigma, "half": distance(half), "formula": formula}


def finite_population(n: int, total: int) -> float:
    """Noise of n of `total` images, drawn without replacement, relative to that of one image.

    >>> finite_population(1, 50), finite_population(50, 50)
    (1.0, 0.0)
    """
    return ((total - n) / (total - 1) / n) ** 0.5


def _epochs(of, n, batches, seed):
    """For each size, whether the mean gradient of an epoch is that of all images."""
    full = np.asarray(of(np.arange(n)[None]))[0]
    means = [np.asarray(of(shuffled_indices(n, b, n // b, seed))).mean(0) for b in batches]
    return [bool(np.abs(mean - full).max() <= ROUNDING * np.abs(full).max()) for mean in means]
