"""The effective step of each parameter: by how much it moves per unit of its gradient.

At a constant learning rate r the effective step of AdaGrad is r / sqrt(h), where h is the sum of
all squared gradients so far. Here it is read from the optimizer's output, |update| / |gradient|.
A parameter with the gradient 0 keeps its last effective step.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

import fcnn
from experiments.optimizers.methods import METHODS
from fcnn.data import Images
from fcnn.layers import Layer
from fcnn.training import shuffled_indices

ADAPTIVE = ("AdaGrad", "RMSProp")  # they do not use earlier gradients, except for the step's size
RATE, BATCH, ROUNDING = 2**-6, 64, 1e-6


def effective_steps(
    model: Layer, images: Images, *, seeds: int, steps: int
) -> dict[str, dict[str, Any]]:
    """Of each method: the cases that did not grow, all cases, and the median by step.

    A case is a parameter whose gradient is not 0, in a step of a seed, after its first such step.
    """
    orders = [shuffled_indices(len(images.y), BATCH, steps, seed) for seed in range(seeds)]
    x, y = (jnp.asarray(a) for a in images)

    def slope(params, taken):
        return jax.grad(lambda p: _loss(model, p, x[taken], y[taken]))(params)

    def of_seed(method, key, order):
        params = model.init(key, images.x.shape[1:])[0]
        flat, unravel = ravel_pytree(params)
        gradient = lambda p, taken: ravel_pytree(slope(unravel(p), taken))[0]
        return followed(METHODS[method](RATE), flat, gradient, order)

    keys, found = jax.random.split(jax.random.key(0), seeds), {}
    for name in ADAPTIVE:
        run = jax.jit(jax.vmap(partial(of_seed, name)))
        fell, of, median = (np.asarray(a) for a in run(keys, np.stack(orders)))
        found[name] = {
            "fell": int(fell.sum()),
            "of": int(of.sum()),
            "median": np.nanmean(median, 0).tolist(),
        }
    return found


def followed(
    method: Any, params: jax.Array, gradient: Callable[..., jax.Array], order: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """By step: effective steps that did not grow, those compared, and their median over RATE."""

    def step(carry, taken):
        p, state, last = carry
        g = gradient(p, taken)
        update, state = method.update(g, state)
        moved = g != 0
        now = jnp.where(moved, jnp.abs(update) / jnp.abs(jnp.where(moved, g, 1)), last)
        compared = moved & ~jnp.isnan(last)
        fell = compared & (now <= last * (1 + ROUNDING))
        return (p + update, state, now), (fell.sum(), compared.sum(), jnp.nanmedian(now) / RATE)

    unknown = jnp.full_like(params, jnp.nan)
    return jax.lax.scan(step, (params, method.init(params), unknown), order)[1]


def _loss(model, params, x, y):
    return fcnn.softmax_cross_entropy(model.apply(params, {}, x)[0], y).mean()
