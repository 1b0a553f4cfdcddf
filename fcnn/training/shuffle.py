"""Which examples each step sees: shuffled, every one once before any comes again."""

import numpy as np


def shuffled_rows(examples: int, batch_size: int, number: int, seed: int) -> np.ndarray:
    """A table of row numbers for `number` steps.

    All examples in one random order, then all in another, and so on, cut into batches: a batch may
    hold the end of one order and the start of the next, so none is short, however few the examples.

    Shapes: (number, batch_size) int32.
    Raises: ValueError without examples, or for a batch size below 1.
    """
    if examples < 1 or batch_size < 1:
        raise ValueError(
            f"rows: {examples} examples in batches of {batch_size}: both must be at least 1"
        )
    random = np.random.default_rng(seed)
    orders = [random.permutation(examples) for _ in range(-(-number * batch_size // examples))]
    stream = np.concatenate([*orders, np.zeros(0, int)])[: number * batch_size]
    return stream.reshape(number, batch_size).astype(np.int32)
