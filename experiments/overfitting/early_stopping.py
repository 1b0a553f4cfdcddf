"""Early stopping: of all states of one training run, the one with the least validation loss.

The run is that of the baseline. Its state is evaluated after every call of `STEPS` steps.
"""

import dataclasses
from copy import copy
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import log_softmax

from experiments.framework.seeds import Seeds
from experiments.framework.trained import Trained, Trials
from fcnn.data import Images
from fcnn.training import TrainState

T = TypeVar("T")


def stopped_early(trials: Trials, validation: Images, **options: Any) -> Trained:
    """`trials.train(**options)` with the best state of each seed instead of the last one."""
    watched, watching = copy(trials), _Watched(trials.seeds, validation)
    watched.seeds = watching
    run = watched.train(**options)
    return dataclasses.replace(run, train_state=watching.best)


class _Watched(Seeds):
    """The compiled programs of `seeds`, which also record the best state of each seed."""

    best: TrainState

    def __init__(self, seeds: Seeds, validation: Images):
        vars(self).update(vars(seeds))
        self.validation, self.loss = validation, np.full(seeds.count, np.inf)

    def start(self) -> TrainState:
        self.best = super().start()
        return super().start()  # `train` overwrites its memory

    def train(
        self, train_state: TrainState, indices: np.ndarray, rate: float
    ) -> tuple[TrainState, dict[str, jax.Array]]:
        train_state, metrics = super().train(train_state, indices, rate)
        now, y = Trained(self, train_state, self.training, indices[:, 0], {}), self.validation.y
        logits = now.outputs(self.validation.x).astype(float)
        loss = -log_softmax(logits, -1)[:, np.arange(len(y)), y].mean(1)
        self.best = chosen(loss < self.loss, train_state, self.best)
        self.loss = np.minimum(loss, self.loss)
        return train_state, metrics


def chosen(better: np.ndarray, new: T, old: T) -> T:
    """The new state of each seed that is better, else the old one."""
    along = lambda leaf: better.reshape(-1, *(1 for _ in leaf.shape[1:]))
    return jax.tree.map(lambda a, b: jnp.where(along(a), a, b), new, old)
