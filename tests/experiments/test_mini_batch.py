"""Known answers of the measures of the experiment mini_batch."""

import numpy as np
import pytest

from experiments.framework.claim import NotJudged
from experiments.framework.verdict import judge
from experiments.mini_batch import EXPERIMENT, noise
from experiments.mini_batch.evidence import evidence, formula_distance, larger, seconds, slope
from experiments.mini_batch.learning import GOAL, Run, _of_epochs
from experiments.mini_batch.measure import BATCHES

VALUES = np.random.default_rng(0).normal(size=(100, 3))  # of 100 images, a gradient each


def of(indices):
    return VALUES[indices].mean(1)


def test_noise_of_independent_gradients_is_that_of_the_formulas():
    found = noise._noise(of, 100, (1, 4, 16, 64), 2000, seed=0)
    assert found["sigma"] == pytest.approx(np.sqrt(VALUES.var(0).sum()))
    assert slope(found) == pytest.approx(-0.5, abs=0.02)
    assert found["half"] == pytest.approx(found["formula"], rel=0.03)
    assert found["formula"] == pytest.approx(found["sigma"] * np.sqrt(50 / 99 / 50))


def test_an_epoch_that_has_an_image_twice_is_counted(monkeypatch):
    assert noise._epochs(of, 100, (1, 10, 50), seed=0) == [True] * 3
    order = noise.shuffled_indices
    monkeypatch.setattr(noise, "shuffled_indices", lambda *a: np.where((i := order(*a)), i, 1))
    assert noise._epochs(of, 100, (1, 10, 50), seed=0) == [False] * 3


def test_parameters_and_scores_are_those_of_each_seed():
    params = [{"w": np.array([[epoch, seed] for seed in range(2)])} for epoch in range(4)]
    np.testing.assert_array_equal(_of_epochs(params, [3, 1])["w"], [[3, 0], [1, 1]])
    validation = np.array([[GOAL, 1.0, GOAL], [1.0, GOAL, 0.5]])
    run = Run(params, np.array([[3.0, 2, 1], [3, 3, 2]]), validation)
    assert run.falls == 3
    assert run.score == (1.5, (GOAL + 0.5) / 2)


def point(exponent=-0.5, half=1.0):
    return {"noise": {"1": 2.0, "16": 2.0 * 16**exponent}, "half": half, "formula": 1.0}


def test_the_larger_distance_of_both_points_is_judged():
    points = {"initial": [point(half=1.01), point()], "trained": [point(half=0.98), point()]}
    assert larger({"points": points}, formula_distance) == pytest.approx([2, 0])


def result(epochs, accuracy=0.9):
    shown = {"steps": list(epochs), "all_steps": 200, "falls": [400, 400]}
    return shown | {"test_at_loss": [accuracy, accuracy + 0.001]}


def held():
    """Measurements with which every claim holds."""
    epochs = {"1 image": (4, 4), "32 images": (10, 10), "128 images": (30, 30)}
    times = ([1.0] * 2, [0.1] * 2, [0.09] * 2, [0.08] * 2)
    points = {"initial": [point(), point()], "trained": [point(), point()]}
    return {
        "noise": {"equal": [30, 30], "points": points},
        "seconds of an epoch": dict(zip(BATCHES, times, strict=True)),
        **{name: result(each, 0.95) for name, each in epochs.items()},
        "all images": result((100, 100)),
    }


def verdicts(m):
    return [v.verdict for v in judge(EXPERIMENT.claims, EXPERIMENT.evidence(m))]


@pytest.mark.parametrize(
    ("name", "change", "index"),
    [
        ("noise", {"equal": [29, 30]}, 0),
        ("noise", {"points": {"a": [point(), point()], "b": [point(-0.4), point(-0.4)]}}, 1),
        (
            "noise",
            {"points": {"a": [point(), point()], "b": [point(half=1.1), point(half=1.1)]}},
            2,
        ),
        ("128 images", {"steps": [9, 9]}, 3),
        ("seconds of an epoch", {"1 image": [0.1, 0.1]}, 4),
        ("seconds of an epoch", {"all images": [0.01, 0.01]}, 5),
        ("all images", {"falls": [399, 400]}, 6),
        ("all images", {"test_at_loss": [0.96, 0.961]}, 7),
    ],
)
def test_each_claim_can_fail(name, change, index):
    m = held()
    assert verdicts(m) == ["held"] * 8
    m[name] = m[name] | change
    assert [i for i, word in enumerate(verdicts(m)) if word != "held"] == [index]
    assert verdicts(m)[index] == "failed"


def test_a_seed_that_misses_the_loss_is_a_bound_and_has_no_accuracy_at_it():
    m = held()
    m["all images"]["steps"] = [None, 100]
    assert 2 ** seconds(m, "all images")[0] == pytest.approx(200 * 0.08)
    unjudged = lambda: [i for i, e in enumerate(evidence(m)) if isinstance(e, NotJudged)]
    assert unjudged() == [7]
    m["32 images"]["steps"] = [None, 10]
    assert unjudged() == [3, 5, 7]  # 1 image is faster than 32 at most: the claim can fail
    assert all(isinstance(each, NotJudged) for each in evidence({"noise": m["noise"]}))
