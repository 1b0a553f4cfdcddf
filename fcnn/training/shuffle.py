"""Shuffled batches: every example is used once before any example is used again."""

import jax
import numpy as np

from fcnn.ops.validation import named, require_integers

SHUFFLE = 2**32 - 1  # folded into the key of training; steps have smaller numbers


def shuffled_indices(examples: int, batch_size: int, steps: int, seed: int) -> np.ndarray:
    """Indices of the examples in each batch, for a number of steps.

    Random orders of all examples follow one another in a sequence, which is cut into batches. A
    batch may hold the end of one order and the start of the next order. So every batch is full,
    even if there are fewer examples than `batch_size`.

    Shapes: (steps, batch_size) int32.
    Options:
        examples: number of examples.
        batch_size: examples of one step.
        steps: number of batches.
        seed: of the random orders.
    Raises: ValueError if there are no examples, or if the batch size is below 1.

    >>> indices = fcnn.training.shuffled_indices(examples=6, batch_size=2, steps=3, seed=0)
    >>> indices.shape, sorted(indices.ravel().tolist())
    ((3, 2), [0, 1, 2, 3, 4, 5])
    """
    with named("shuffled_indices"):
        require_integers(examples=examples, batch_size=batch_size, steps=steps, seed=seed)
    if examples < 1 or batch_size < 1:
        raise ValueError(
            f"shuffled_indices: {examples} examples in batches of {batch_size}; "
            "both must be at least 1"
        )
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(examples) for _ in range(-(-steps * batch_size // examples))]
    indices = np.concatenate([*orders, np.zeros(0, int)])[: steps * batch_size]
    return indices.reshape(steps, batch_size).astype(np.int32)


def indices_of_epoch(key: jax.Array, epoch: int, examples: int, batch_size: int) -> np.ndarray:
    """The examples of each step of an epoch, by the key of training: (steps, batch_size)."""
    key = jax.random.fold_in(jax.random.fold_in(key, SHUFFLE), epoch)
    seed = int(jax.random.bits(key, (), "uint32"))
    return shuffled_indices(examples, batch_size, examples // batch_size, seed)
