"""Statements about Lp pooling are counted in windows where they are known to be true or false."""

import numpy as np
import pytest

from experiments.pooling.norms import P, curve, statements


@pytest.mark.usefixtures("jax_defaults")
def test_statements_are_counted_by_window():
    x = np.array([[1, 1, -3, 3], [1, 1, 3, 3]], np.float32)[None, :, :, None]
    found = statements(x, 2)
    assert found["ends"] == found["limit"] == found["sum is max"] == found["sum is sum"] == (2, 2)
    assert found["rises"] == (2 * (len(P) - 1), 2 * (len(P) - 1))
    assert found["sum is mean"] == (0, 2)
    assert found["mean of x"] == (1, 2)  # wrong in the window with a negative x


@pytest.mark.usefixtures("jax_defaults")
def test_the_curve_runs_from_mean_and_sum_to_the_maximum():
    found = curve()  # of the window 1, 3, 0, 2
    assert (found["mean form"][0], found["sum form"][0]) == pytest.approx((1.5, 6))
    assert found["sum form"][-1] == pytest.approx(3)
    assert found["mean form"][-1] == pytest.approx(3 * 4 ** (-1 / 100))
