"""Known answers of the measures of the experiment overfitting."""

import numpy as np
import pytest

from experiments.framework.experiment import Log
from experiments.framework.trained import trained
from experiments.overfitting.calibration import BINS, bins, by_chance, calibration, error
from experiments.overfitting.dropout_scale import RATES, correct_scales, mean_over_masks
from experiments.overfitting.factors import dense_network
from experiments.overfitting.measure import without_units
from experiments.overfitting.measured import few_gap, lost
from fcnn.data import Images

LOG = Log(lambda **_: None, lambda _: None, lambda *_: None)


def test_the_calibration_error_is_the_distance_of_accuracy_from_confidence():
    confidence = np.array([0.85] * 4 + [0.55] * 4)
    correct = np.array([1, 1, 0, 0, 1, 1, 1, 1], bool)
    assert error(confidence, correct) == pytest.approx(0.5 * 0.35 + 0.5 * 0.45)
    assert [b["n"] for b in bins(confidence, correct)] == [4, 4]
    assert bins(np.ones(3), np.ones(3, bool)) == [{"n": 3, "confidence": 1, "accuracy": 1}]


def test_errors_of_opposite_sign_in_one_bin_cancel_and_in_two_bins_add():
    correct = np.array([1, 0], bool)
    assert error(np.array([0.51, 0.52]), correct) == pytest.approx(0.015)
    assert error(np.array([0.51, 0.49]), correct) == pytest.approx(0.49)


def test_a_calibrated_network_has_the_error_of_chance():
    rng = np.random.default_rng(1)
    logits = np.log(np.array([[0.7, 0.2, 0.1]]).repeat(4000, 0))
    y = rng.choice(3, 4000, p=[0.7, 0.2, 0.1])
    found = calibration(logits[None], y)
    assert found["error"][0] < 2
    assert 0.3 < found["by_chance"][0] < 1
    assert by_chance(np.full(100, 0.7)) > 3 * by_chance(np.full(4000, 0.7))
    assert len(found["bins"]) == 1 < BINS
    assert calibration(10 * logits[None], y)["error"][0] == pytest.approx(30, abs=3)


def test_the_mean_over_masks_is_that_of_kept_entries():
    np.testing.assert_allclose(mean_over_masks(np.array([1.0, -2.0]), 0.25), [0.75, -1.5])


@pytest.mark.usefixtures("jax_defaults")
def test_the_printed_scale_is_right_at_one_half_only():
    found = correct_scales()
    assert all(found["classic"] + found["inverted"])
    assert [rate for rate, right in zip(RATES, found["printed"], strict=True) if right] == [0.5]


@pytest.mark.usefixtures("jax_defaults")
def test_removed_units_change_outputs_and_no_parameters():
    """Without any hidden unit, the network predicts one class for all images."""
    y = np.arange(100, dtype=np.int32) % 2
    images = Images(np.stack([np.full((4, 4, 1), i, np.float32) for i in y]), y)
    model = dense_network(8, 2)
    run = trained(model, images, epochs=25, seeds=2, log=LOG, label="dense", rate=1e-2)
    assert without_units(run, 0.0, images) == [1, 1]
    assert without_units(run, 1.0, images) == [0.5, 0.5]
    assert without_units(run, 0.0, images) == [1, 1]


def test_gaps_and_losses_are_percentage_points():
    each = lambda train, test: {"train": [train], "test": [test]}
    by_images = {"accuracies": [each(1.0, 0.5), each(1.0, 0.75), each(1.0, 1.0)]}
    assert few_gap(by_images) == [37.5]
    assert lost({"removed": [[0.75, 1.0], [0.9, 0.9], [0.5, 0.25]]}) == [25, 75]
