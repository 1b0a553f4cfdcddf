"""Steps to a training loss without masks, of a network that is trained with them.

Masks make the loss higher. Without them, networks with dropout and without it are compared by the
same loss.
"""

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import fcnn
from experiments.framework.bounds import fastest
from experiments.framework.curves import steps_to
from experiments.framework.trained import STEPS, Trained, Trials
from fcnn.layers import Layer
from fcnn.training import TrainState

TARGET = 0.1  # nats
EVERY = 5  # steps
Loss = Callable[..., jax.Array]  # of params, x, y and indices


def loss_of(model: Layer) -> Loss:
    """A compiled function (params, x, y, indices) -> mean loss without masks, by seed."""

    def loss(params, x, y, indices):
        outputs, _ = model.apply(params, {}, x[indices])
        return fcnn.softmax_cross_entropy(outputs, y[indices]).mean()

    return jax.jit(jax.vmap(loss, (0, None, None, 0)))


def with_losses(trials: Trials, loss: Loss, **options: Any) -> tuple[Trained, np.ndarray]:
    """`trials.train(**options)`, and the loss on each seed's training images.

    The first call of training sees all of a seed's images, which are few.

    Shapes: losses (seeds, steps / EVERY), the first one after EVERY steps.
    """
    watched, seen, losses = copy(trials), [], []
    watched.seeds = copy(trials.seeds)

    def train(train_state: TrainState, indices: np.ndarray, rate: float):
        if not seen:
            seen.append(np.stack([np.unique(each) for each in indices]))
        curves = []
        for block in np.split(indices, STEPS // EVERY, axis=1):
            train_state, found = trials.seeds.train(train_state, block, rate)
            losses.append(np.asarray(loss(train_state.params, *trials.images, seen[0])))
            curves.append(found)
        return train_state, {k: jnp.concatenate([c[k] for c in curves], 1) for k in curves[0]}

    watched.seeds.train = train
    return watched.train(**options), np.stack(losses, 1)


def fewest(losses: Mapping[float, np.ndarray]) -> Mapping[str, Any]:
    """Steps to the target and the mean curve, at the rate with the fewest steps."""
    return fastest(_steps(rate, each) for rate, each in losses.items())


def _steps(rate: float, losses: np.ndarray) -> dict[str, Any]:
    reached = steps_to(TARGET, losses, 1, falling=True)
    return {
        "rate": rate,
        "loss": losses.mean(0).tolist(),
        "steps": [None if count is None else EVERY * count for count in reached],
        "all_steps": EVERY * losses.shape[1],
    }
