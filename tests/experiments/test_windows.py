"""Output sizes, the 4×4 example and the measure of the border have known answers."""

import numpy as np
import pytest

import fcnn
from experiments.windows.measure import border_to_centre, network
from experiments.windows.sizes import Case, by_loop, formula, four_by_four, predicted, returned

# height, width, k, s, p, d -> output
KNOWN = {(7, 7, 3, 2, 0, 1): (3, 3), (28, 32, 5, 2, 2, 1): (14, 16), (9, 8, 3, 3, 1, 2): (3, 2)}


@pytest.mark.parametrize(("case", "out"), KNOWN.items())
def test_all_counts_of_output_positions_agree(case, out):
    height, width, *window = case
    assert (formula(height, *window), formula(width, *window)) == out
    assert (by_loop(height, *window), by_loop(width, *window)) == out
    assert returned("conv", Case(*case)) == returned("max_pool", Case(*case)) == out


def test_a_window_that_does_not_fit_is_refused_and_formulas_of_books_differ():
    assert returned("conv", Case(2, 9, 3, 1, 0, 1)) is None
    found = predicted(Case(28, 32, 5, 2, 0, 1))
    assert found["formula"] == (12, 14)
    assert found["height from W"] == (14, 14)
    assert found["without floor"] == (12.5, 14.5)


def test_the_example_by_hand_is_counted_cell_by_cell():
    found = four_by_four()
    assert found["outputs"]["hand"][0] == [[15, 16], [6, 15]]
    assert found["equal"] == found["cells"] == 3 * (4 + 16)


def test_the_border_is_compared_with_the_centre():
    energy = np.ones((4, 5))
    energy[1:-1, 1:-1] = 4.0
    assert border_to_centre(energy) == pytest.approx(0.5)


def test_a_window_has_the_number_of_features_nearest_to_the_parameters():
    parameters = lambda name: fcnn.summary(network(name, (8, 8, 1), 10, 3), (8, 8, 1)).parameters
    assert parameters("5×5") == 30 + (75 * 3 + 3) + (30 + 10)  # stem, window, head
    k = 4  # of 10 features each: 3 to k, k to k, and the head
    assert parameters("two of 3×3") == 30 + (27 * k + k) + (9 * k * k + k) + (10 * k + 10)
