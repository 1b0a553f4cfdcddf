"""Training with several seeds: shifts, outputs, subsets, the choice of a rate, and features."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.framework.experiment import Log
from experiments.framework.features import before_head
from experiments.framework.seeds import BATCH, shifted
from experiments.framework.step_times import step_times
from experiments.framework.trained import Trials
from experiments.framework.tuned import tuned
from fcnn.data import Images
from fcnn.layers import dense, flatten, relu, serial

NOTES = []
LOG = Log(lambda **values: None, NOTES.append, lambda text, share: None)
MODEL = serial(flat=flatten(), first=dense(8), relu=relu(), head=dense(2))
RNG = np.random.default_rng(0)


def images(n, column):
    """Images of class 0 have their light pixel in the row 1, those of class 1 in the row 2."""
    y = np.arange(n, dtype=np.int32) % 2
    x = np.zeros((n, 4, 4, 1), np.float32)
    x[np.arange(n), 1 + y, column] = 1
    return Images(x, y)


@pytest.fixture(scope="module")
def trials():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        with jax.enable_x64(False):
            yield Trials(MODEL, images(64, 1), seeds=2, log=LOG, label="tiny", margin=1)


@pytest.fixture(scope="module")
def run(trials):
    return trials.train(epochs=100, rate=0.05, subset=16)


def test_a_shift_moves_images_down_and_right():
    x = np.zeros((1, 5, 5, 1), np.float32)
    x[0, 1, 2] = 1
    for shift in ((0, 0), (2, 1), (-1, 2), (1, -2)):
        moved = np.asarray(shifted(jnp.asarray(x), jnp.asarray(shift), 2))
        assert [*np.argwhere(moved[0, :, :, 0])[0]] == [1 + shift[0], 2 + shift[1]]
        assert moved.sum() == 1


@pytest.mark.usefixtures("jax_defaults")
def test_accuracy_on_shifted_images(run):
    """Class 0, one row further down, is an image of class 1; class 1, further up, is class 0."""
    test = images(10, 1)
    only = lambda label: Images(test.x[test.y == label], test.y[test.y == label])
    assert run.accuracy(test).tolist() == run.train_accuracy().tolist() == [1, 1]
    assert run.accuracy(only(0), (1, 0)).tolist() == [0, 0]
    assert run.accuracy(only(1), (-1, 0)).tolist() == [0, 0]
    moves = ((1, 0), (-1, 0), (0, 1), (0, -1))
    mean = np.mean([run.accuracy(test, move) for move in moves], axis=0)
    np.testing.assert_allclose(run.shifted_accuracy(test, 1), mean)
    message = r"shift \(2, 0\) exceeds margin 1; write Trials\(..., margin=2\)"
    with pytest.raises(ValueError, match=message):
        run.accuracy(test, (2, 0))
    with pytest.raises(ValueError, match=r"shift \(2, 0\) exceeds margin 1"):
        run.shifted_accuracy(test, 2)


@pytest.mark.usefixtures("jax_defaults")
def test_outputs_and_features_are_those_of_the_layers(run):
    x = RNG.random((BATCH + 1, 4, 4, 1), np.float32)
    found, features = run.outputs(x), before_head(MODEL, run, 1)(x)
    assert found.shape == (2, BATCH + 1, 2)
    for seed in range(2):
        first, head = (
            [np.asarray(run.params[name][k][seed], np.float64) for k in "wb"]
            for name in ("first", "head")
        )
        inner = np.maximum(x.reshape(len(x), -1) @ first[0] + first[1], 0)
        np.testing.assert_allclose(features[seed], inner, atol=1e-5)
        np.testing.assert_allclose(found[seed], inner @ head[0] + head[1], atol=1e-5)


def test_each_seed_draws_its_own_subset(run):
    assert [len({*seen}) for seen in run.seen.tolist()] == [16, 16]
    assert {*run.seen[0].tolist()} != {*run.seen[1].tolist()}
    assert run.loss.shape == run.train_accuracy_by_step.shape == (2, 100)
    assert run.loss[:, -1].max() < run.loss[:, 0].min()


@pytest.mark.usefixtures("jax_defaults")
def test_steps_read_only_the_subset_and_rates_fall(trials, run, monkeypatch):
    calls, train = [], trials.seeds.train
    record = lambda state, *of: calls.append(of) or train(state, *of)
    monkeypatch.setattr(trials.seeds, "train", record)
    found = trials.train(epochs=100, rate=0.05, subset=16)
    assert found.seen.tolist() == run.seen.tolist()
    for seed, seen in enumerate(found.seen.tolist()):
        assert {*np.concatenate([i[seed] for i, _ in calls], axis=None).tolist()} == {*seen}
    rates = [rate for _, rate in calls]
    assert rates[0] == 0.05
    assert rates == sorted(rates, reverse=True)


@pytest.mark.usefixtures("jax_defaults")
def test_tuned_chooses_the_rate_with_the_higher_validation_accuracy(trials, run):
    other = trials.on(images(64, 2), "another column")
    rate, best = tuned(other, images(10, 2), epochs=100, rates=(1e-9, 0.05))
    assert (rate, best.accuracy(images(10, 2)).tolist()) == (0.05, [1, 1])
    assert NOTES.count("compiling tiny …") == 1


@pytest.mark.usefixtures("jax_defaults")
def test_steps_and_their_compilation_take_time():
    times, compiling = step_times({"tiny": MODEL}, optax.sgd(0.1), images(4, 1), LOG, rounds=2)
    assert len(times["tiny"]) == 2
    assert min(*times["tiny"], compiling["tiny"]) > 0
