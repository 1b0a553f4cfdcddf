"""Many seeds of one network, trained and scored as one vmapped program.

Everything is compiled once per network: a call trains for a fixed number of steps on whichever rows
of the images it is given, and a call scores a fixed number of rows, shifted by any amount.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

import fcnn
from fcnn.layers import Layer
from fcnn.training import Metrics, TrainState, create, predict, scan_steps, train_step

BLOCK = 500  # rows scored in one call


class Seeds:
    """`count` trainings of `model` on rows of (x, y), which live on the device."""

    def __init__(
        self, model: Layer, optimizer, x: jax.Array, y: jax.Array, margin: int, count: int
    ):
        self.x, self.y, self.count = x, y, count
        self._keys = jax.random.split(jax.random.key(0), count)
        step = train_step(model, fcnn.softmax_cross_entropy, optimizer)
        start = partial(create, model, optimizer, x.shape[1:])
        self._create = jax.jit(jax.vmap(start))
        self._train = jax.jit(jax.vmap(partial(scan_steps, step), (0, None, 0)), donate_argnums=0)
        self._right = jax.jit(jax.vmap(partial(_right, model, margin), (0, None, 0, None)))

    def start(self) -> TrainState:
        """The states before training, one per seed along the first axis."""
        return self._create(self._keys)

    def train(self, now: TrainState, rows: np.ndarray, rate: float) -> tuple[TrainState, Metrics]:
        """A block of steps, each on its own rows, at one learning rate.

        Shapes: rows (count, steps, batch); the metrics are (count, steps).
        """
        return self._train(_at_rate(now, rate), (self.x, self.y), rows)

    def accuracy(
        self, now: TrainState, rows: np.ndarray, shift: tuple[int, int] = (0, 0)
    ) -> np.ndarray:
        """The share told right of rows (count, n), moved down and right by `shift`: (count,)."""
        n = rows.shape[1]
        blocks = np.pad(rows, ((0, 0), (0, -n % BLOCK)), mode="edge")
        blocks = np.split(blocks, blocks.shape[1] // BLOCK, axis=1)
        moved = np.array(shift, np.int32)
        right = [self._right(now, (self.x, self.y), block, moved) for block in blocks]
        return np.concatenate(right, axis=1)[:, :n].mean(1)


def shifted(x: jax.Array, shift: jax.Array, margin: int) -> jax.Array:
    """Images moved down and right by `shift` pixels, at most `margin`; background 0 moves in."""
    wide = jnp.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    return jax.lax.dynamic_slice(wide, (0, margin - shift[0], margin - shift[1], 0), x.shape)


def _right(model, margin, now, data, rows, shift):
    x, y = data
    return predict(model, now, shifted(x[rows], shift, margin)).argmax(-1) == y[rows]


def _at_rate(now: TrainState, rate: float) -> TrainState:
    """optax.inject_hyperparams made the optimizer, and keeps the learning rate in its state."""
    rates = jnp.full((len(now.step),), rate)
    return now._replace(opt_state=optax.tree.set(now.opt_state, learning_rate=rates))


def cosine(step: int, total: int, peak: float) -> float:
    """The learning rate at `step` of `total`, `peak` to 0. Source: Loshchilov & Hutter 2017."""
    return peak * (1 + math.cos(math.pi * step / total)) / 2
