"""Known answers of the measures of the experiment overfitting."""

from types import SimpleNamespace

import numpy as np
import pytest

from experiments.framework.experiment import Log
from experiments.framework.trained import Trials, trained
from experiments.framework.verdict import judge
from experiments.overfitting import EXPERIMENT, dropout_scale
from experiments.overfitting.calibration import BINS, bins, by_chance, calibration, error
from experiments.overfitting.dropout_scale import RATES, correct_scales, masked, mean_over_masks
from experiments.overfitting.early_stopping import chosen, stopped_early
from experiments.overfitting.evaluation import without_units
from experiments.overfitting.factors import FACTORS, dense_network, networks
from experiments.overfitting.measured import few_gap, lost
from fcnn import summary
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


@pytest.mark.parametrize(
    ("y", "verdict"),
    [([0, 2, 0, 2], True), ([0, 0, 0, 0], False), ([2, 2, 2, 2], False), ([0, 2, 0, 1], False)],
)
def test_a_masked_output_has_the_share_of_zeros_of_the_rate(y, verdict):
    assert masked(np.array(y, float), np.full(4, 2.0), 0.5) == verdict


@pytest.mark.usefixtures("jax_defaults")
def test_an_evaluation_that_is_not_the_mean_is_counted(monkeypatch):
    """fcnn's layer, were it to scale its input in evaluation."""
    layer = SimpleNamespace(apply=lambda params, state, x: (0.5 * x, state))
    monkeypatch.setattr(dropout_scale, "dropout", lambda rate: layer)
    assert not any(correct_scales()["inverted"])


def test_the_better_state_of_each_seed_is_chosen():
    old = {"w": np.zeros((2, 3)), "step": np.array([1, 1])}
    new = {"w": np.ones((2, 3)), "step": np.array([5, 5])}
    found = chosen(np.array([True, False]), new, old)
    np.testing.assert_array_equal(found["w"], [[1, 1, 1], [0, 0, 0]])
    assert found["step"].tolist() == [5, 1]


@pytest.mark.usefixtures("jax_defaults")
def test_training_stops_where_the_validation_loss_is_least():
    """Validation labels contradict those of training: the first state is the best one."""
    y = np.arange(100, dtype=np.int32) % 2
    x = np.stack([np.full((4, 4, 1), i, np.float32) for i in y])
    trials = Trials(dense_network(8, 2), Images(x, y), seeds=2, log=LOG, label="dense")
    options = {"epochs": 25, "rate": 1e-2, "batch_size": 50}
    assert stopped_early(trials, Images(x, y), **options).train_state.step.tolist() == [50, 50]
    opposite = stopped_early(trials, Images(x, 1 - y), **options)
    assert opposite.train_state.step.tolist() == [25, 25]


@pytest.mark.usefixtures("jax_defaults")
def test_networks_have_the_parameters_of_the_baseline_but_for_batch_norm():
    hidden, conv = networks((8, 8, 1), 10)
    count = lambda net: summary(net, (8, 8, 1)).parameters
    made = {k: dense_network(hidden, 10, **f.network(f.strengths[-1])) for k, f in FACTORS.items()}
    added = {k: count(net) - count(made["baseline"]) for k, net in made.items()}
    assert {k: n for k, n in added.items() if n} == {"batch norm": 6 * hidden}
    assert abs(count(conv) / count(made["baseline"]) - 1) < 0.02


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


def result(test, train=(1.0, 1.0), shifted=(0.3, 0.31), removed=((0.8, 0.8), (0.4, 0.4))):
    each = {"test": list(test), "train": list(train), "shifted": list(shifted)}
    calibration = {"error": [3.0, 3.1], "by_chance": [2.0, 2.1]}
    return each | {"removed": [list(r) for r in removed], "calibration": calibration}


def held():
    """Measurements with which every claim holds."""
    remedies = {name: result((0.85, 0.86)) for name in FACTORS if name != "baseline"}
    remedies["augmentation"] = result((0.85, 0.86), shifted=(0.7, 0.71))
    remedies["dropout"] = result((0.85, 0.86), removed=((0.8, 0.8), (0.7, 0.7)))
    sizes = lambda *tests: {"accuracies": [result((test, test + 0.01)) for test in tests]}
    return {
        "baseline": result((0.8, 0.81)),
        **remedies,
        "dense by images": sizes(0.7, 0.8, 0.99),
        "conv by images": sizes(0.8, 0.9, 0.5),
        "scale of dropout": {form: [True] * 3 for form in ("classic", "inverted", "printed")},
    }


def verdicts(m):
    return [v.verdict for v in judge(EXPERIMENT.claims, EXPERIMENT.evidence(m))]


WORSE = {"test": [0.7, 0.71]}
UNCALIBRATED = {"calibration": {"error": [7.0, 7.1], "by_chance": [2.0, 2.1]}}


@pytest.mark.parametrize(
    ("name", "change", "index"),
    [
        ("dense by images", {"accuracies": [result((0.95, 0.96))] * 3}, 0),
        *((name, WORSE, i) for i, name in enumerate(list(FACTORS)[1:], start=1)),
        ("augmentation", {"shifted": [0.2, 0.21]}, 7),
        ("dropout", {"removed": [[0.8, 0.8], [0.3, 0.3]]}, 8),
        ("baseline", UNCALIBRATED, 9),
        ("scale of dropout", {"inverted": [True, False, True]}, 10),
        ("scale of dropout", {"classic": [True, False, True]}, 10),
        ("scale of dropout", {"printed": [True, False, True]}, 11),
    ],
)
def test_each_claim_can_fail(name, change, index):
    m = held()
    assert verdicts(m) == ["held"] * 12
    m[name] = m[name] | change
    assert [i for i, word in enumerate(verdicts(m)) if word != "held"] == [index]
    assert verdicts(m)[index] == "failed"
