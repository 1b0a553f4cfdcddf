"""Means over the last steps, and the steps until a loss or an accuracy is reached."""

import numpy as np

from experiments.framework.curves import least_steps, mean_steps, missed, moving_mean, steps_to

LOSS = np.array([[3.0, 1, 1, 1, 0, 0]])


def test_a_moving_mean_covers_whole_windows():
    values = np.tile(np.arange(30, dtype=np.float32), (2, 1))
    found = moving_mean(values, 20)
    assert found.shape == (2, 11)
    np.testing.assert_array_equal(found[:, [0, 1, 10]], [[9.5, 10.5, 19.5]] * 2)


def test_the_steps_to_a_loss_end_with_the_first_window_below_it():
    steps = lambda target, window: steps_to(target, LOSS, window, falling=True)
    assert [steps(1, 2), steps(0.5, 2), steps(3, 1), steps(-1, 2)] == [[3], [5], [1], [None]]


def test_the_steps_to_an_accuracy_end_with_the_first_window_above_it():
    accuracy = np.array([[0.1, 0.9, 0.2], [0.95, 0.1, 0.1], [0.1, 0.2, 0.3]])
    assert steps_to(0.9, accuracy, 1, falling=False) == [2, 1, None]
    assert steps_to(0.5, accuracy, 2, falling=False) == [2, 2, None]


def test_a_seed_that_misses_the_value_counts_with_all_its_steps():
    result = {"steps": [1000, None], "all_steps": 1020}
    assert (missed(result), least_steps(result)) == (1, [1000, 1020])
    assert mean_steps(result) == "≥ 1,010"
    assert mean_steps({"steps": [1000, 1010], "all_steps": 1020}) == "1,005"
