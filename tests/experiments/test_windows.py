"""Output sizes, the 4×4 example and the measure of the border have known answers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn
from experiments.framework.verdict import judge
from experiments.windows import EXPERIMENT, ONE, TWO
from experiments.windows.measure import (
    BORDERS,
    EXAMPLE,
    SIZES,
    border,
    border_to_centre,
    network,
)
from experiments.windows.sizes import Case, by_loop, formula, four_by_four, predicted, returned
from experiments.windows.tables import tables

# height, width, k, s, p, d -> output
KNOWN = {(7, 7, 3, 2, 0, 1): (3, 3), (28, 32, 5, 2, 2, 1): (14, 16), (9, 8, 3, 3, 1, 2): (3, 2)}


@pytest.mark.parametrize(("case", "out"), KNOWN.items())
def test_all_counts_of_output_positions_agree(case, out):
    height, width, *window = case
    assert (formula(height, *window), formula(width, *window)) == out
    assert (by_loop(height, *window), by_loop(width, *window)) == out
    assert returned("conv", Case(*case)) == returned("max_pool", Case(*case)) == out


def test_a_window_that_does_not_fit_is_an_error_and_formulas_of_books_differ():
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
    assert border(energy[None]) == {"border": [pytest.approx(0.5)]}


def test_a_map_without_inner_cells_has_no_ratio_and_a_dash_in_the_table():
    assert border(np.ones((2, 2, 5))) == border(np.ones((2, 5, 2))) == {}
    costs = {"parameters": 1, "multiply_adds": 1, "rate": 0.1}
    small = {"train": [0.5], "test": [0.5], "map": np.ones((2, 2)).tolist(), **costs}
    assert tables({"valid": small})[0].rows[0][-1] == "–"


def test_a_window_has_the_number_of_features_nearest_to_the_parameters():
    parameters = lambda name: fcnn.summary(network(name, (8, 8, 1), 10, 3), (8, 8, 1)).parameters
    assert parameters("5×5") == 30 + (75 * 3 + 3) + (30 + 10)  # stem, window, head
    k = 4  # of 10 features each: 3 to k, k to k, and the head
    assert parameters("two of 3×3") == 30 + (27 * k + k) + (9 * k * k + k) + (10 * k + 10)


@pytest.mark.parametrize("name", [*BORDERS, "7×7", "two of 3×3"])
def test_each_network_is_built(name):
    shape = (7, 8, 3)
    net = network(name, shape, 10, 2)
    assert jax.eval_shape(lambda key: applied(net, shape, key), jax.random.key(0)).shape == (2, 10)


def applied(net, shape, key):
    params, state = net.init(key, shape)
    return net.apply(params, state, jnp.zeros((2, *shape)))[0]


GOOD = {
    SIZES: {"cases": 9, "formula": 9, "loops": 9},
    EXAMPLE: {"cells": 4, "equal": 4},
    "zeros": {"border": [0.5, 0.5], "test": [0.9, 0.92]},
    "reflect": {"border": [0.9, 0.9]},
    "wrap": {"border": [0.8, 0.8]},
    "valid": {"test": [0.8, 0.82]},
    TWO: {"test": [0.8, 0.7]},
    ONE: {"test": [0.8, 0.7]},
}


@pytest.mark.parametrize(
    ("change", "index"),
    [
        ({}, None),
        ({SIZES: {"cases": 9, "formula": 8, "loops": 9}}, 0),
        ({SIZES: {"cases": 9, "formula": 9, "loops": 8}}, 1),
        ({EXAMPLE: {"cells": 4, "equal": 3}}, 2),
        ({"reflect": {"border": [0.4, 0.4]}}, 3),
        ({"wrap": {"border": [0.4, 0.4]}}, 4),
        ({"valid": {"test": [0.91, 0.93]}}, 5),
        ({TWO: {"test": [0.79, 0.69]}}, 6),
    ],
)
def test_each_claim_can_fail(change, index):
    verdicts = judge(EXPERIMENT.claims, EXPERIMENT.evidence(GOOD | change))
    expected = ["failed" if i == index else "held" for i in range(len(EXPERIMENT.claims))]
    assert [v.verdict for v in verdicts] == expected
