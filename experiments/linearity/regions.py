"""Linear regions of relu networks: on each, the network is one affine map.

Along a line, a new region begins where a unit switches on or off. Regions are counted by activation
patterns at many points of a segment. Units that switch between neighbouring points count once.

The sawtooth of depth L composes the tent 2 relu(x) - 4 relu(x - 1/2) with itself. It has 2 units
per layer, 6 L + 1 parameters, and 2^L regions on [0, 1]. A network of one hidden layer and equal
parameters has 2 L units, and at most 2 L + 1 regions.

Source: Montúfar et al. 2014; Telgarsky 2015; Hanin & Rolnick 2019.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

import fcnn

POINTS = 2000  # of each segment
SAWTOOTHS = range(3, 11)


def along(layers: Sequence[tuple[np.ndarray, np.ndarray]], a: np.ndarray, b: np.ndarray) -> int:
    """Regions of one network between the points a and b; `layers` are its hidden (w, b)."""
    t = np.linspace(0, 1, POINTS)[:, None]
    y, patterns = (1 - t) * a + t * b, []
    for w, bias in layers:
        before = y @ w + bias
        patterns.append(before > 0)
        y = np.maximum(before, 0)
    on = np.concatenate(patterns, 1)
    return 1 + int((on[1:] != on[:-1]).any(1).sum())


def sawtooth(depth: int) -> int:
    """Regions of the sawtooth on [0, 1], counted by its slopes."""
    n = 2 ** (depth + 2)
    y = jnp.linspace(0, 1, n + 1)[:, None]
    for _ in range(depth):
        hidden = fcnn.relu(fcnn.dense(y, jnp.ones((1, 2)), jnp.array([0.0, -0.5])))
        y = fcnn.dense(hidden, jnp.array([[2.0], [-4.0]]), jnp.zeros(1))
    slopes = n * np.diff(np.asarray(y)[:, 0])
    return 1 + int((slopes[1:] != slopes[:-1]).sum())
