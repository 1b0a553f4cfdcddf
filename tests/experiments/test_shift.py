"""The measure of equivariance finds a violation, and features are compared by their angle."""

import numpy as np
import pytest

import fcnn
from experiments.shift.measure import SHIFTS, cosine_distance, errors


@pytest.mark.usefixtures("jax_defaults")
def test_a_position_dependent_function_is_not_equivariant():
    assert errors(fcnn.conv, 3, "float32") == [0.0] * len(SHIFTS)
    ramp = np.arange(18, dtype=np.float32)[:, None, None]
    found = errors(lambda x, w: fcnn.conv(x, w) + ramp, 3, "float32")
    assert [e > 0 for e in found] == [down > 0 for down, _ in SHIFTS]


def test_the_cosine_distance_is_0_for_one_direction_and_1_for_orthogonal_features():
    a = np.array([[[1.0, 0.0], [2.0, 0.0]]])
    b = np.array([[[3.0, 0.0], [0.0, 5.0]]])
    assert cosine_distance(a, b).tolist() == [0.5]
    assert cosine_distance(a, 7 * a).tolist() == [0.0]
