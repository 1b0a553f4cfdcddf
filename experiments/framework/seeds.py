"""Many seeds of one network, trained and evaluated as one vmapped program.

Training and evaluation are each compiled once per network. A training call runs a fixed number of
steps on the training images with the given indices. An evaluation call reads a fixed number of any
images, and shifts them by any amount. Training has no access to other images.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import fcnn
from fcnn.layers import Layer
from fcnn.training import TrainState, accuracy, create, predict, scan_steps, train_step

BATCH = 100  # images evaluated in one call, of each seed
ONCE: Any = {  # compiler options of a program that runs once: it compiles in an eighth of the time
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
}
Arrays = tuple[jax.Array, jax.Array]  # images and their labels


class Seeds:
    """`count` training runs of `model` on examples of `training`, which stays on the device."""

    def __init__(
        self,
        model: Layer,
        optimizer,
        training: Arrays,
        margin: int,
        count: int,
        *,
        loss: Callable[..., Any] = fcnn.softmax_cross_entropy,
        augment: Callable[..., Any] | None = None,
    ):
        self.training, self.margin, self.count = training, margin, count
        self._keys = jax.random.split(jax.random.key(0), count)
        classes = jnp.issubdtype(training[1].dtype, jnp.integer)
        metrics = {"accuracy": accuracy} if classes else {}
        step = train_step(model, loss, optimizer, metrics, augment=augment)
        start = jax.vmap(partial(create, model, optimizer, training[0].shape[1:]))
        self._create = jax.jit(start, compiler_options=ONCE)
        self._train = jax.jit(jax.vmap(partial(scan_steps, step), (0, None, 0)), donate_argnums=0)
        self._correct = jax.jit(jax.vmap(partial(_correct, model, margin), (0, 0, 0, None)))
        self._outputs = jax.jit(jax.vmap(partial(_outputs, model), (0, None)))

    def start(self) -> TrainState:
        """The states before training, one per seed along the first axis."""
        return self._create(self._keys)

    def train(
        self, train_state: TrainState, indices: np.ndarray, rate: float
    ) -> tuple[TrainState, dict[str, jax.Array]]:
        """Run training steps on the images with these indices, all at one learning rate.

        Shapes: indices (count, steps, batch); the loss and the accuracy are (count, steps).
        """
        return self._train(_at_rate(train_state, rate), self.training, indices)

    def accuracy(
        self,
        train_state: TrainState,
        data: Arrays,
        indices: np.ndarray,
        shift: tuple[int, int] = (0, 0),
    ) -> np.ndarray:
        """Accuracy of each seed on images of `data`, moved down and right by `shift` pixels.

        Shapes: indices (count, n) -> (count,).
        """
        n = indices.shape[1]
        padded = np.pad(indices, ((0, 0), (0, -n % BATCH)), mode="edge")
        batches = np.split(padded, padded.shape[1] // BATCH, axis=1)
        moved = np.array(shift, np.int32)
        correct = [self._correct(train_state, *_taken(data, batch), moved) for batch in batches]
        return np.concatenate(correct, axis=1)[:, :n].mean(1)

    def outputs(self, train_state: TrainState, x: np.ndarray) -> np.ndarray:
        """The outputs of each seed. Shapes: x (n, *shape) -> (count, n, *outputs)."""
        return np.asarray(self._outputs(train_state, x))


def shifted(x: jax.Array, shift: jax.Array, margin: int) -> jax.Array:
    """Images moved down and right by `shift` pixels, at most `margin`; zeros fill the gap."""
    framed = jnp.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    return jax.lax.dynamic_slice(framed, (0, margin - shift[0], margin - shift[1], 0), x.shape)


@jax.jit
def _taken(data, indices):
    x, y = data
    return x[indices], y[indices]


def _correct(model, margin, train_state, x, y, shift):
    return _outputs(model, train_state, shifted(x, shift, margin)).argmax(-1) == y


def _outputs(model, train_state, x):
    return predict(model, train_state.params, train_state.state, x)


def _at_rate(train_state: TrainState, rate: float) -> TrainState:
    """Set the learning rate, which optax.inject_hyperparams keeps in the optimizer's state."""
    rates = jnp.full((len(train_state.step),), rate)
    opt_state = optax.tree.set(train_state.opt_state, learning_rate=rates)
    return train_state._replace(opt_state=opt_state)


def cosine(step: int, total: int, peak: float) -> float:
    """Learning rate at `step` of `total`, which falls from `peak` to 0 along a cosine.

    Source: Loshchilov & Hutter 2017.
    """
    return peak * (1 + math.cos(math.pi * step / total)) / 2
