"""The copy task and the adding problem: examples by definition, losses and errors.

copy      symbols a b c · T blanks · recall recall recall      outputs at recall: a b c
adding    T pairs (number, mark)                               output at the end: marked sum
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import fcnn
from fcnn.data import Images

LENGTHS = (10, 20, 40, 80)
GRADIENT_LENGTHS = {"initial": 20, "trained": 10}  # of the adding problem; all learn 10
SYMBOLS, ALPHABET = 3, 8
BLANK, RECALL = ALPHABET, ALPHABET + 1


class Task(NamedTuple):
    """A task whose outputs are at the last `answers` steps."""

    draw: Callable[[int, int, np.random.Generator], Images]  # length T, examples
    loss: Callable[[Any, Any], Any]  # one number per example
    error: Callable[[np.ndarray, np.ndarray], np.ndarray]  # outputs of seeds, y -> (seeds,)
    answers: int
    outputs: int
    bound: float  # of the error, in `unit`
    unit: str


def copy(length: int, n: int, rng: np.random.Generator) -> Images:
    """Shapes: x (n, length + 2 SYMBOLS, ALPHABET + 2), y (n, SYMBOLS) of symbols."""
    y = rng.integers(0, ALPHABET, (n, SYMBOLS)).astype(np.int32)
    rest = [np.full((n, length), BLANK), np.full((n, SYMBOLS), RECALL)]
    symbols = np.concatenate([y, *rest], axis=1)
    return Images(np.eye(ALPHABET + 2, dtype=np.float32)[symbols], y)


def adding(length: int, n: int, rng: np.random.Generator) -> Images:
    """Shapes: x (n, length, 2), y (n, 1, 1)."""
    x = np.zeros((n, length, 2), np.float32)
    x[..., 0] = rng.random((n, length))
    marked = [rng.integers(0, length // 2, n), rng.integers(length // 2, length, n)]
    every = np.arange(n)
    for at in marked:
        x[every, at, 1] = 1
    return Images(x, x.prod(-1).sum(1)[:, None, None])


TASKS = {
    "copy": Task(
        copy,
        lambda outputs, y: fcnn.softmax_cross_entropy(outputs, y).mean(-1),
        lambda outputs, y: 100 * (outputs.argmax(-1) != y).mean((1, 2)),
        SYMBOLS,
        ALPHABET,
        5.0,
        "symbols wrong, %",
    ),
    "adding": Task(
        adding,
        lambda outputs, y: ((outputs - y) ** 2).mean((1, 2)),
        lambda outputs, y: ((outputs - y) ** 2).mean((1, 2, 3)),
        1,
        1,
        1 / 12,  # the variance of a sum of two uniform numbers is 1/6
        "squared error",
    ),
}
