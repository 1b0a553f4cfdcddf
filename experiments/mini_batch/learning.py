"""Training with one batch size at every rate, and the loss on all training images by epoch."""

from statistics import fmean
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

import fcnn
from experiments.framework import interrupt
from experiments.framework.curves import steps_to
from experiments.framework.experiment import Log
from experiments.framework.seeds import Seeds
from experiments.framework.splits import Splits
from fcnn.layers import Layer
from fcnn.models import mlp
from fcnn.training import shuffled_indices

RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # of gradient descent, constant
TARGET = 0.1  # nats, on all training images
GOAL = 0.2  # nats, on validation images: the rate that reaches it in the fewest epochs is best


class Run(NamedTuple):
    """Training at one rate. Entry k of `params` is after k epochs, and has an axis of seeds."""

    params: list[Any]
    loss: np.ndarray  # (seeds, epochs + 1), on all training images
    validation: np.ndarray  # (seeds, epochs + 1), the loss on validation images

    @property
    def score(self) -> tuple[float, float]:
        """Mean epochs to the goal, or all epochs where it is missed; and the last loss."""
        steps = steps_to(GOAL, self.validation[:, 1:], 1, falling=True)
        every = self.validation.shape[1] - 1
        return fmean(step or every for step in steps), float(self.validation[:, -1].mean())

    @property
    def falls(self) -> int:
        """Epochs × seeds in which the loss on all training images falls."""
        return int((np.diff(self.loss, axis=1) < 0).sum())


class Learning:
    """Networks of `seeds` seeds, which all batch sizes train from the same initial parameters."""

    def __init__(self, images: Splits, seeds: int, log: Log):
        self.images, self.log, self.count = images, log, seeds
        self.model: Layer = mlp((32,), images.classes)
        self.training = jax.device_put((images.train.x, images.train.y))
        sgd = optax.inject_hyperparams(optax.sgd)(learning_rate=0.0)
        self.seeds = Seeds(self.model, sgd, self.training, 0, seeds)
        self._evaluate = jax.jit(jax.vmap(self._loss_and_accuracy, (0, None, None)))

    def evaluate(self, params: Any, x, y) -> tuple[np.ndarray, np.ndarray]:
        """Mean loss and accuracy of each seed. Shapes: both (seeds,)."""
        loss, accuracy = self._evaluate(params, x, y)
        return np.asarray(loss), np.asarray(accuracy)

    def _loss_and_accuracy(self, params, x, y):
        logits, _ = self.model.apply(params, {}, x)
        return fcnn.softmax_cross_entropy(logits, y).mean(), (logits.argmax(-1) == y).mean()

    def train(self, size: int, rate: float, epochs: int, label: str) -> Run | None:
        """Train with `size` images per step, which divides the images; None if it diverges."""
        n = len(self.training[1])
        order = lambda seed: shuffled_indices(n, size, epochs * n // size, seed)
        indices = np.stack([order(seed) for seed in range(self.count)])
        train_state = self.seeds.start()
        params, losses = [jax.device_get(train_state.params)], []
        losses.append(self._losses(params[0]))
        for epoch, block in enumerate(np.split(indices, epochs, axis=1), start=1):
            interrupt.check()
            train_state, _ = self.seeds.train(train_state, block, rate)
            params.append(jax.device_get(train_state.params))
            losses.append(self._losses(params[-1]))
            loss = losses[-1][0]
            if not np.isfinite(loss).all():
                return None
            self.log.metric(network=label, rate=rate, epoch=epoch, loss=loss.tolist())
            self.log.show(f"{label} · rate {rate:g} · loss {loss.mean():.3f}", epoch / epochs)
        return Run(params, *np.stack(losses, axis=-1))

    def _losses(self, params):
        """Losses on training and validation images. Shapes: -> (2, seeds)."""
        both = (self.training, self.images.validation)
        return np.stack([self.evaluate(params, *images)[0] for images in both])

    def learned(self, label: str, size: int, rates: tuple[float, ...], epochs: int) -> dict:
        """Results at the rate with the best score. Test images are read after all training."""
        runs = {rate: self.train(size, rate, epochs, label) for rate in rates}
        finished = {rate: run for rate, run in runs.items() if run}
        if not finished:
            raise FloatingPointError(f"{label}: training diverges at each rate")
        best = min(finished, key=lambda rate: finished[rate].score)
        params, loss, _ = finished[best]
        steps = steps_to(TARGET, loss[:, 1:], 1, falling=True)
        at_loss = _of_epochs(params, [step or epochs for step in steps])
        return {
            "rate": best,
            "validation": {f"{rate:g}": run.score for rate, run in finished.items()},
            "loss": loss.tolist(),
            "steps": steps,
            "all_steps": epochs,
            "falls": [finished[rates[0]].falls if runs[rates[0]] else 0, epochs * self.count],
            "test": self.evaluate(params[-1], *self.images.test)[1].tolist(),
            "test_at_loss": self.evaluate(at_loss, *self.images.test)[1].tolist(),
        }


def _of_epochs(params, epochs):
    """Parameters of seed i after epochs[i], with an axis of seeds."""
    taken = lambda *each: np.stack([each[epoch][i] for i, epoch in enumerate(epochs)])
    return jax.tree.map(taken, *params)
