"""Inputs for the cases of pooling: without ties, and at the limits of half precision."""

import math

from fcnn.ops.case import normals


def distinct(shape):
    """For `Case.args`: entries at least 1/4 apart and at least 1/8 from 0, in random order.

    There are no ties and no kinks.
    """

    def draw(rng):
        n = math.prod(shape)
        order = rng.permutation(n)
        return ((order - n / 2 + 0.5) / 4).reshape(shape)

    return draw


EXTREMES = {  # x (1, 5, 2); sums and powers of "far from 0" overflow in float16
    "huge": normals((1, 5, 2), 1e9),
    "tiny": normals((1, 5, 2), 1e-30),
    "far from 0": normals((1, 5, 2), 32, 5e4),
}
