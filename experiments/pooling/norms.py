"""Lp pooling of random windows: its mean form, and the ranges that books print for it.

sum form    (sum_i |x_i|^p)^(1/p)        p = 1: the sum of |x|      p = infinity: max |x|
mean form   (sum_i |x_i|^p / n)^(1/p)    p = 1: the mean of |x|     p = infinity: max |x|
"""

from collections.abc import Sequence
from itertools import pairwise
from math import inf
from typing import Any

import jax.numpy as jnp
import numpy as np

import fcnn

P = (1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, inf)
ROUNDING = 1e-6  # of the largest |x| of a window
EXAMPLE = ((1, 3, 2, 4), (0, 2, 0, 2), (5, 1, 0, 1), (1, 1, 1, 6))
STATEMENTS = {
    "ends": "mean form: p = 1 is the mean of |x|, p = ∞ its maximum",
    "rises": "mean form: rises with p",
    "sum is max": "sum form: p = ∞ is the maximum of |x|",
    "sum is sum": "sum form: p = 1 is the sum of |x|",
    "sum is mean": "sum form: p = 1 is the mean (as some books print)",
    "mean of x": "mean form: p = 1 is the mean of x, also for negative x",
}
Count = tuple[int, int]


def count_windows(draws: int, windows: Sequence[int] = (2, 3)) -> dict[str, Any]:
    """In how many windows each statement is true, and one window's norm by p."""
    counts: dict[str, list[int]] = {}
    for window in windows:
        x = np.random.default_rng(window).normal(size=(draws, 12, 12, 2)).astype(np.float32)
        for key, (true, of) in statements(x, window).items():
            total = counts.setdefault(key, [0, 0])
            total[0], total[1] = total[0] + true, total[1] + of
    return counts | {"example": example(), "curve": curve()}


def statements(x: np.ndarray, window: int) -> dict[str, Count]:
    signed, size = jnp.asarray(x), jnp.abs(x)
    lp = lambda p, mean=True: np.asarray(fcnn.lp_pool(signed, window, p=p, mean=mean))
    top = np.asarray(fcnn.max_pool(size, window))
    mean, mean_of_x = (np.asarray(fcnn.avg_pool(each, window)) for each in (size, signed))
    n = window * window
    equal = lambda a, b: np.abs(a - b) <= ROUNDING * top
    norms = [lp(p) for p in P]
    share = lambda true: (int(np.sum(true)), int(np.size(true)))
    return {
        "ends": share(equal(norms[0], mean) & equal(norms[-1], top)),
        "rises": share([b >= a - ROUNDING * top for a, b in pairwise(norms)]),
        "limit": share(norms[P.index(100.0)] >= (n ** (-1 / 100) - ROUNDING) * top),
        "sum is max": share(equal(lp(inf, False), top)),
        "sum is sum": share(equal(lp(1.0, False) / n, mean)),
        "sum is mean": share(equal(lp(1.0, False), mean)),
        "mean of x": share(equal(norms[0], mean_of_x)),
    }


def example() -> dict[str, Any]:
    """Windows of 2×2 of a 4×4 image, pooled in three ways."""
    x = jnp.asarray(EXAMPLE, np.float32)[None, :, :, None]
    pooled = {
        "max": fcnn.max_pool(x, 2),
        "mean": fcnn.avg_pool(x, 2),
        "L2": fcnn.lp_pool(x, 2, mean=True),
    }
    return {name: np.asarray(y)[0, ..., 0].tolist() for name, y in pooled.items()}


def curve() -> dict[str, list[float]]:
    """Both forms for the first window of the example, by p."""
    x = jnp.asarray(EXAMPLE, np.float32)[None, :2, :2, None]
    each = lambda mean: [float(fcnn.lp_pool(x, 2, p=p, mean=mean).ravel()[0]) for p in P[:-1]]
    return {"mean form": each(True), "sum form": each(False)}
