"""Paths of all methods through the valley of a textbook, and how much they zigzag.

    f(x, y) = x² / 20 + y²        gradient (x / 10, 2 y)        minimum at (0, 0)

y is the direction across the valley. A path zigzags where y changes its sign from step to step.
"""

from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.optimizers.methods import METHODS

USUAL = {  # rates of the textbook's figures; Nesterov has that of momentum, RMSProp that of Adam
    "SGD": 0.95,
    "momentum": 0.1,
    "Nesterov": 0.1,
    "AdaGrad": 1.5,
    "RMSProp": 0.3,
    "Adam": 0.3,
}
SHARES = (0.7, 0.8, 0.9, 1.0)  # of the usual rate
START, STEPS = (-7.0, 2.0), 30
STARTS = tuple(product((-9.0, -7.0, -5.0, -3.0), (1.0, 2.0, 3.0, 4.0)))  # START is one of them


@partial(jax.jit, static_argnums=0)
def path(name: str, rate: float, start: jax.Array) -> jax.Array:
    """All points of the paths from some starts. Shapes: (n, 2) -> (STEPS + 1, n, 2)."""
    method: Any = METHODS[name](rate)  # of one array

    def step(carry, _):
        p, state = carry
        update, state = method.update(p * jnp.array([[0.1, 2.0]]), state)
        return (p + update, state), p + update

    _, points = jax.lax.scan(step, (start, method.init(start)), length=STEPS)
    return jnp.concatenate([start[None], points])


def turns(points: np.ndarray) -> np.ndarray:
    """The number of steps in which y changes its sign. Shapes: (steps + 1, n, 2) -> (n,)."""
    y = points[..., 1]
    return (y[1:] * y[:-1] < 0).sum(0)


def across(points: np.ndarray) -> np.ndarray:
    """The share of |Δy| in all |Δx| + |Δy| of a path. Shapes: (steps + 1, n, 2) -> (n,)."""
    moved = np.abs(np.diff(points, axis=0)).sum(0)
    return moved[:, 1] / moved.sum(1)


def walked() -> dict[str, Any]:
    """The drawn path of each method, and the measures of its paths, rate by rate."""
    starts, found = jnp.array(STARTS), {}
    for name, usual in USUAL.items():
        paths = [np.asarray(path(name, usual * share, starts), np.float64) for share in SHARES]
        found[name] = {
            "path": paths[SHARES.index(1.0)][:, STARTS.index(START)].tolist(),
            "turns": [int(count) for points in paths for count in turns(points)],
            "across": [float(share) for points in paths for share in across(points)],
        }
    return found
