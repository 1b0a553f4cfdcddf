"""Random flip: y[i, j] = x[i, w - 1 - j] (horizontal) or x[h - 1 - i, j] (vertical)."""

import jax
import jax.numpy as jnp

from fcnn.data.augment.augmentation import Augmentation, augmentation
from fcnn.ops.validation import did_you_mean, named, require, require_numbers

AXES = {"vertical": 1, "horizontal": 2}


def flip(probability: float = 0.5, *, axis: str = "horizontal") -> Augmentation:
    """Flip each image with probability `probability`, left to right by default.

    Labels are unchanged. Do not flip images whose meaning would change, such as digits and letters.

    Shapes: (key, batch) -> batch; x (n, h, w, c) keeps its shape and dtype.
    Options:
        probability: the probability of a flip, from 0 to 1.
        axis: "horizontal" exchanges left and right, "vertical" exchanges top and bottom.
    Raises: ValueError for a probability outside [0, 1], an unknown axis, x without 4 axes, or a
            batch without x; TypeError if the batch is neither a dict nor a pair (x, y), x holds
            neither floats nor uint8, or key is not one random key.
    Cost:   one random number per example, and one copy of x.
    Source: Krizhevsky et al. 2012, section 4.1.

    >>> flip, x = fcnn.data.augment.flip(), jnp.array([1.0, 2.0, 3.0]).reshape(1, 1, 3, 1)
    >>> batch = flip(jax.random.key(0), {"x": jnp.tile(x, (4, 1, 1, 1))})
    >>> batch["x"][:, 0, :, 0]
    Array([[1., 2., 3.],
           [1., 2., 3.],
           [3., 2., 1.],
           [3., 2., 1.]], dtype=float32)
    """
    with named("flip"):
        require_numbers(probability=probability)
        require(0 <= probability <= 1, f"probability {probability} must lie in [0, 1]")
        near = did_you_mean(axis, AXES)
        require(axis in AXES, f"unknown axis {axis!r}; expected one of {', '.join(AXES)}{near}")

    def transform(key, x):
        flipped = jax.random.uniform(key, (x.shape[0], 1, 1, 1), jnp.float32) < probability
        return (jnp.where(flipped, jnp.flip(x, AXES[axis]), x),)

    return augmentation("flip", transform)
