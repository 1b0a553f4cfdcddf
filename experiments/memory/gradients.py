"""Gradients through time: how much the loss of the last step depends on each earlier input.

    g[d] = sqrt(mean over examples of |d loss[n] / d x[n, last - d]|^2)      d = 1 .. t - 1
    fall = -10 · slope of a least-squares line through log10 g               decades per 10 steps

At d = 0, attention has its residual connection, a direct path. So distances start at 1.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fcnn.data import Images
from fcnn.layers import Layer
from fcnn.training import TrainState


def through_time(
    model: Layer, loss: Callable[[Any, Any], jax.Array], examples: Images
) -> Callable[[TrainState], list[list[float]]]:
    """A function of the train state of all seeds: g of each seed by distance, from 1."""
    x, y = map(jnp.asarray, examples)

    def total(x, train_state):
        return loss(model.apply(train_state.params, train_state.state, x)[0], y).sum()

    def norms(train_state):
        dx = jax.grad(total)(x, train_state)
        return jnp.sqrt((dx**2).sum(-1).mean(0))[-2::-1]

    each = jax.jit(jax.vmap(norms))
    return lambda train_state: each(train_state).tolist()


def fall(norms: Sequence[float]) -> float:
    """Decades that the gradient falls in 10 steps of distance."""
    return -10 * float(np.polyfit(np.arange(len(norms)), np.log10(norms), 1)[0])
