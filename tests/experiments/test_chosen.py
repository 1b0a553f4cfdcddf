"""`chosen` takes the best rate of those that do not diverge; `starting` changes initial params."""

import jax
import numpy as np
import optax
import pytest

from experiments.framework.chosen import accuracy_on, chosen
from experiments.framework.experiment import Log
from experiments.framework.starting import starting
from experiments.framework.trained import Trials
from fcnn.data import Images
from fcnn.layers import dense

pytestmark = pytest.mark.usefixtures("jax_defaults")


@pytest.fixture
def notes():
    return []


@pytest.fixture
def trials(notes):
    """A dense layer on points whose class is the side of a line; no loss is finite at rate 1e39."""
    x = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    points = Images(x, (x[:, 0] > 0).astype(np.int32))
    log = Log(lambda **values: None, notes.append, lambda text, share: None)
    return points, Trials(dense(2), points, seeds=2, log=log, label="line", optimizer=optax.sgd)


def test_the_best_rate_that_does_not_diverge_is_chosen(trials, notes):
    points, trials = trials
    found = chosen(trials, accuracy_on(points), epochs=25, rates=(1e-6, 0.5, 1e39), batch_size=64)
    assert found.rate == 0.5
    assert found.scores[1e39] == []
    assert notes[1:] == ["line: training diverges at the rate 1e+39"]
    assert np.mean(found.scores[0.5]) > max(0.9, np.mean(found.scores[1e-6]))
    assert found.scores[0.5] == accuracy_on(points)(found.run).tolist()
    with pytest.raises(FloatingPointError, match="line: training diverges at each rate of 1e\\+39"):
        chosen(trials, accuracy_on(points), epochs=25, rates=(1e39,))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_rate_whose_score_is_not_finite_is_not_chosen(bad, trials):
    scores = iter([[0.5, bad], [0.5, 0.6]])
    found = chosen(trials[1], lambda run: np.array(next(scores)), epochs=1, rates=(0.5, 0.1))
    assert (found.rate, found.scores) == (0.1, {0.5: [], 0.1: [0.5, 0.6]})


def test_training_starts_from_changed_params(trials):
    _, trials = trials
    zeros = lambda params, key: jax.tree.map(lambda a: 0 * a, params)
    run = starting(trials, "zeros", zeros).train(epochs=1, rate=0.0)
    assert run.loss == pytest.approx(np.full((2, 25), np.log(2)))
    assert not np.allclose(trials.train(epochs=1, rate=0.0).loss, np.log(2))
