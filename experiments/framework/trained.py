"""Training of a network with several seeds, as one vmapped program, for experiments with `log`.

`trained` trains once. `Trials` compiles once, and trains the same network on several subsets of its
images, with other rates or for more epochs. Both read training images only: `Trained` evaluates any
images afterwards.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np
import optax

import fcnn
from experiments.framework import interrupt
from experiments.framework.experiment import Log
from experiments.framework.seeds import BATCH, Seeds, cosine
from fcnn.data import Images
from fcnn.layers import Layer
from fcnn.training import TrainState, shuffled_indices

DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1))  # down, up, right, left
STEPS = 25  # of a call: an interrupt takes effect, and the rate changes, between calls


class Trials:
    """Training runs of one network, which share one compiled program.

    Options:
        images: the training images, which stay on the device.
        seeds: number of training runs, each with its own initial parameters and order of images.
        label: name of the network, for `log` and messages.
        optimizer: a function of the learning rate.
        loss: one number per example, of outputs and y.
        augment: a function (key, batch) -> batch, as `train_step` takes it.
        margin: the largest shift of images, in pixels, that `Trained.accuracy` may be asked for.
    """

    def __init__(
        self,
        model: Layer,
        images: Images,
        *,
        seeds: int,
        log: Log,
        label: str,
        optimizer: Callable[..., optax.GradientTransformation] = optax.adam,
        loss: Callable[..., Any] = fcnn.softmax_cross_entropy,
        augment: Callable[..., Any] | None = None,
        margin: int = 0,
    ):
        self.log, self.label = log, label
        self.images = jax.device_put((images.x, images.y))
        self.n = len(images.y)
        make = optax.inject_hyperparams(optimizer)(learning_rate=0.0)
        self.seeds = Seeds(model, make, self.images, margin, seeds, loss=loss, augment=augment)
        log.note(f"compiling {label} …")  # its first training compiles it

    def on(self, images: Images, label: str) -> "Trials":
        """The same compiled program with other training images of the same number and shape."""
        other = copy(self)
        other.label, other.images = label, jax.device_put((images.x, images.y))
        other.seeds = copy(self.seeds)
        other.seeds.training = other.images
        return other

    def train(
        self, *, epochs: int, rate: float = 2e-3, batch_size: int = 64, subset: int | None = None
    ) -> "Trained":
        """Train with learning rates that fall from `rate` to 0 along a cosine.

        Options:
            epochs: passes over the images. Steps are rounded up to a multiple of 25.
            rate: learning rate of the first step.
            batch_size: images per step; with another one, the program is compiled again.
            subset: number of images that each seed draws at random and is trained on; None: all.
        Raises: FloatingPointError if a loss is not finite; Interrupted after a signal.
        """
        size, label = subset or self.n, self.label
        draw = lambda seed: np.random.default_rng([seed, size]).permutation(self.n)[:size]
        seen = np.stack([draw(seed) for seed in range(self.seeds.count)]).astype(np.int32)
        calls = -(-epochs * max(1, size // batch_size) // STEPS)
        order = lambda seed: shuffled_indices(size, batch_size, calls * STEPS, seed)
        indices = np.stack([images[order(seed)] for seed, images in enumerate(seen)])
        train_state, found = self.seeds.start(), []
        for i, block in enumerate(np.split(indices, calls, axis=1)):
            interrupt.check()
            train_state, metrics = self.seeds.train(train_state, block, cosine(i, calls, rate))
            found.append({name: np.asarray(values) for name, values in metrics.items()})
            loss = found[-1]["loss"].mean()
            if not np.isfinite(loss):
                where = f"{label} is {loss} with {size} images"
                raise FloatingPointError(f"the loss of {where}; lower the learning rate, {rate:g}")
            means = {name: values.mean(1).tolist() for name, values in found[-1].items()}
            self.log.metric(network=label, images=size, step=(i + 1) * STEPS, **means)
            self.log.show(f"{label} · {size:,} images · loss {loss:.3f}", (i + 1) / calls)
        curves = {name: np.concatenate([each[name] for each in found], 1) for name in found[0]}
        return Trained(self.seeds, train_state, self.images, seen, curves)


def trained(
    model: Layer,
    images: Images,
    *,
    epochs: int,
    seeds: int,
    log: Log,
    label: str,
    rate: float = 2e-3,
    batch_size: int = 64,
    subset: int | None = None,
    **options: Any,
) -> "Trained":
    """Train once; all other options are those of `Trials`."""
    trials = Trials(model, images, seeds=seeds, log=log, label=label, **options)
    return trials.train(epochs=epochs, rate=rate, batch_size=batch_size, subset=subset)


@dataclass(frozen=True)
class Trained:
    """A trained network, once per seed."""

    seeds: Seeds
    train_state: TrainState  # every leaf has a leading axis of seeds
    images: tuple[jax.Array, jax.Array]
    seen: np.ndarray  # (seeds, n): indices of the training images of each seed
    curves: dict[str, np.ndarray]  # (seeds, steps): "loss" and "accuracy" of each step's batch

    @property
    def params(self) -> Any:
        return self.train_state.params

    @property
    def state(self) -> Any:
        return self.train_state.state

    @property
    def loss(self) -> np.ndarray:
        """Training loss of each step. Shape (seeds, steps)."""
        return self.curves["loss"]

    @property
    def train_accuracy_by_step(self) -> np.ndarray:
        """Accuracy of each step on its batch, before the update. Shape (seeds, steps)."""
        return self.curves["accuracy"]

    def accuracy(self, images: Images, shift: tuple[int, int] = (0, 0)) -> np.ndarray:
        """Accuracy on images moved down and right by `shift` pixels. Shape (seeds,).

        Raises: ValueError if the shift exceeds the margin of `Trials`.
        """
        if (needed := max(map(abs, shift))) > self.seeds.margin:
            what = f"shift {shift} exceeds margin {self.seeds.margin}"
            raise ValueError(f"{what}; write Trials(..., margin={needed})")
        interrupt.check()
        every = np.tile(np.arange(len(images.y), dtype=np.int32), (self.seeds.count, 1))
        data = jax.device_put((images.x, images.y))
        return self.seeds.accuracy(self.train_state, data, every, shift)

    def shifted_accuracy(self, images: Images, pixels: int) -> np.ndarray:
        """Mean accuracy on images moved down, up, right and left. Shape (seeds,)."""
        moves = [(pixels * down, pixels * right) for down, right in DIRECTIONS]
        return np.mean([self.accuracy(images, move) for move in moves], axis=0)

    def train_accuracy(self) -> np.ndarray:
        """Accuracy of each seed on the images that it was trained on. Shape (seeds,)."""
        return self.seeds.accuracy(self.train_state, self.images, self.seen)

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """The network's outputs. Shape (seeds, n, *outputs)."""
        padded = np.pad(x, [(0, -len(x) % BATCH)] + [(0, 0)] * (x.ndim - 1), mode="edge")
        parts = [self.seeds.outputs(self.train_state, part) for part in _batches(padded)]
        return np.concatenate(parts, axis=1)[:, : len(x)]

    @cached_property
    def first(self) -> TrainState:
        """The train state of seed 0."""
        return jax.tree.map(lambda a: a[0], self.train_state)


def _batches(x: np.ndarray) -> list[np.ndarray]:
    return np.split(x, len(x) // BATCH)
