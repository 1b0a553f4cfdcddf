"""Output sizes and the 4×4 example: what fcnn returns, against formulas, loops and numbers by hand.

The example is that of textbooks: image x, filter w, and with no padding

    x = 1 2 3 0    w = 2 0 1    y[0,0] = 1·2 + 2·0 + 3·1 + 0·0 + 1·1 + 2·2 + 3·1 + 0·0 + 1·2 = 15
        0 1 2 3        0 1 2    y[0,1] = 2·2 + 3·0 + 0·1 + 1·0 + 2·1 + 3·2 + 0·1 + 1·0 + 2·2 = 16
        3 0 1 2        1 0 2    y[1,0] = 0·2 + 1·0 + 2·1 + 3·0 + 0·1 + 1·2 + 2·1 + 3·0 + 0·2 = 6
        2 3 0 1                 y[1,1] = 1·2 + 2·0 + 3·1 + 0·0 + 1·1 + 2·2 + 3·1 + 0·0 + 1·2 = 15
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import fcnn

IMAGE = ((1, 2, 3, 0), (0, 1, 2, 3), (3, 0, 1, 2), (2, 3, 0, 1))
FILTER = ((2, 0, 1), (0, 1, 2), (1, 0, 2))
BY_HAND = {
    0: ((15, 16), (6, 15)),
    1: ((7, 12, 10, 2), (4, 15, 16, 10), (10, 6, 15, 6), (8, 10, 4, 3)),
}


class Case(NamedTuple):
    height: int
    width: int
    k: int
    s: int
    p: int
    d: int


def cases(largest: int) -> Iterator[Case]:
    """All combinations, with images that are not square."""
    for height, k, s, p, d in itertools.product(
        range(1, largest + 1), range(1, 5), range(1, 4), range(3), range(1, 4)
    ):
        yield Case(height, largest + 2 - height, k, s, p, d)


def formula(size: int, k: int, s: int, p: int, d: int) -> int:
    return (size + 2 * p - d * (k - 1) - 1) // s + 1


def by_loop(size: int, k: int, s: int, p: int, d: int) -> int:
    """The number of positions at which all taps of the window are cells of the padded axis."""
    positions = 0
    first = 0
    while all(first + d * tap < size + 2 * p for tap in range(k)):
        positions += 1
        first += s
    return positions


def returned(name: str, case: Case) -> tuple[int, int] | None:
    """The output size of an operator, or None if it raises an error."""
    x = jax.ShapeDtypeStruct((1, case.height, case.width, 1), np.float32)
    w = jax.ShapeDtypeStruct((case.k, case.k, 1, 1), np.float32)
    options: Any = {"stride": case.s, "padding": case.p, "dilation": case.d}
    if name == "conv":
        f, arrays = lambda x, w: fcnn.conv(x, w, **options), (x, w)
    else:
        f, arrays = lambda x: getattr(fcnn, name)(x, case.k, **options), (x,)
    try:
        return jax.eval_shape(f, *arrays).shape[1:3]
    except ValueError:
        return None


def predicted(case: Case) -> dict[str, tuple[float, float]]:
    """The output size by the formula, by a loop, and by formulas that books print."""
    height, width, *window = case
    right = [formula(size, *window) for size in (height, width)]
    looped = [by_loop(size, *window) for size in (height, width)]
    k, s, p, d = window
    unrounded = [(size + 2 * p - d * (k - 1) - 1) / s + 1 for size in (height, width)]
    undilated = [formula(size, k, s, p, 1) for size in (height, width)]
    return {
        "formula": (right[0], right[1]),
        "loops": (looped[0], looped[1]),
        "height from W": (right[1], right[1]),
        "without floor": (unrounded[0], unrounded[1]),
        "without dilation": (undilated[0], undilated[1]),
    }


def agrees(size: tuple[float, float], found: tuple[int, int] | None) -> bool:
    return min(size) < 1 if found is None else size == found


def count_sizes(cases: Sequence[Case]) -> dict[str, int]:
    """The number of cases, and in how many each prediction agrees with fcnn."""
    counts = {"cases": 0}
    for case, name in itertools.product(cases, ("conv", "max_pool", "avg_pool")):
        found = returned(name, case)
        counts["cases"] += 1
        for way, size in predicted(case).items():
            counts[way] = counts.get(way, 0) + agrees(size, found)
    return counts


def convolved_by_loops(x: np.ndarray, w: np.ndarray, padding: int) -> np.ndarray:
    x, k = np.pad(x, padding), len(w)
    y = np.zeros((len(x) - k + 1, len(x) - k + 1))
    for i, j in np.ndindex(*y.shape):
        for a, b in np.ndindex(*w.shape):
            y[i, j] += x[i + a, j + b] * w[a, b]
    return y


def four_by_four() -> dict[str, Any]:
    """The example by hand, by loops, by im2col and by conv, with counts of equal cells."""
    x, w = np.array(IMAGE, np.float32), np.array(FILTER, np.float32)
    image, kernel = jnp.asarray(x[None, :, :, None]), jnp.asarray(w[:, :, None, None])
    outputs: dict[str, list[Any]] = {"hand": [], "loops": [], "im2col": [], "conv": []}
    for padding, by_hand in BY_HAND.items():
        n = len(by_hand)
        columns = np.asarray(fcnn.im2col(image, (3, 3), padding=padding))
        outputs["hand"].append(np.array(by_hand))
        outputs["loops"].append(convolved_by_loops(x, w, padding))
        outputs["im2col"].append((columns.reshape(n * n, 9) @ w.reshape(9)).reshape(n, n))
        outputs["conv"].append(np.asarray(fcnn.conv(image, kernel, padding=padding))[0, ..., 0])
    others = [(y, outputs["hand"][i]) for k in list(outputs)[1:] for i, y in enumerate(outputs[k])]
    return {
        "outputs": {name: [y.tolist() for y in ys] for name, ys in outputs.items()},
        "equal": int(sum((y == hand).sum() for y, hand in others)),
        "cells": sum(y.size for y, _ in others),
    }
