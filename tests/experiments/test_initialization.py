"""Known answers of the measures of the experiment initialization."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.framework.claim import NotJudged
from experiments.framework.verdict import judge
from experiments.initialization import EXPERIMENT
from experiments.initialization.evidence import middle, outer
from experiments.initialization.measure import BINS, scales
from experiments.initialization.networks import (
    ACTIVATIONS,
    HIDDEN,
    STARTS,
    UNITS,
    activations,
    begun,
    equal_layers,
    gradients,
    network,
)

SHAPE = (4, 4, 1)


@pytest.fixture
def start():
    """A function that gives the model with sigmoid, and its parameters by name of the start."""

    def of(name):
        model = network("sigmoid", 10)
        params, _ = model.init(jax.random.key(0), SHAPE)
        return model, begun(name, params, jax.random.key(1))

    return of


@pytest.mark.usefixtures("jax_defaults")
@pytest.mark.parametrize(
    ("name", "first", "other"),
    [
        ("sd 1", 1, 1),
        ("sd 0.01", 0.01, 0.01),
        ("Xavier", 1 / 4, 1 / 10),
        ("He", 8**-0.5, 0.02**0.5),
    ],
)
def test_standard_deviations_of_the_starts(start, name, first, other):
    params = start(name)[1]
    for i in range(1, HIDDEN + 2):
        expected = first if i == 1 else other
        assert float(params[f"dense{i}"]["w"].std()) == pytest.approx(expected, rel=0.1)
        assert not params[f"dense{i}"]["b"].any()


@pytest.mark.usefixtures("jax_defaults")
def test_activations_are_those_of_all_hidden_layers(start):
    model, params = start("Xavier")
    x = jax.random.uniform(jax.random.key(2), (3, *SHAPE))
    found = activations(model, "sigmoid", params, x)
    assert found.shape == (HIDDEN, 3, UNITS)
    logits = found[-1] @ params[f"dense{HIDDEN + 1}"]["w"]
    np.testing.assert_allclose(logits, model.apply(params, {}, x)[0], atol=1e-5)
    again = jax.nn.sigmoid(found[1] @ params["dense3"]["w"])
    np.testing.assert_allclose(found[2], again, atol=1e-5)


@pytest.mark.usefixtures("jax_defaults")
def test_units_from_zeros_are_equal_and_one_other_weight_is_counted(start):
    assert equal_layers(start("Xavier")[1]) == 0
    params = start("zeros")[1]
    assert equal_layers(params) == HIDDEN
    params["dense1"]["b"] = params["dense1"]["b"].at[3].set(1e-3)
    assert equal_layers(params) == HIDDEN - 1
    params["dense3"]["w"] = params["dense3"]["w"].at[0, 1].set(1e-3)  # out of layer 2, into 3
    assert equal_layers(params) == HIDDEN - 3


@pytest.mark.usefixtures("jax_defaults")
def test_from_zeros_only_the_head_has_a_gradient(start):
    model, params = start("zeros")
    x, y = jnp.ones((2, *SHAPE)), jnp.array([1, 2])
    found = jax.jit(lambda params: gradients(model, params, x, y))(params)
    assert [g.shape for g in found] == [(16, UNITS)] + [(UNITS, UNITS)] * (HIDDEN - 1)
    assert not any(g.any() for g in found)


def test_scales_and_shares_of_bins():
    y = np.zeros((1, HIDDEN, 1, 4), np.float32)
    y[:] = 0.02, 0.45, 0.55, 0.98
    found = scales("sigmoid", y)
    np.testing.assert_allclose(found["rms"], [[np.sqrt((y[0, 0, 0] ** 2).mean())] * HIDDEN])
    assert outer(found) == middle(found) == [50]
    assert scales("tanh", -y)["histogram"][0][0][0] == 0.25  # −0.98
    assert scales("relu", 100 * y)["histogram"][0][0][BINS - 1] == 0.99 + 0.01  # clipped


def result(test=(0.1, 0.101), rms=1.0, bins=(5,)):
    """Two seeds, a scale that grows to `rms`, and all activations in the given bins."""
    shares = [1 / len(bins) if i in bins else 0 for i in range(BINS)]
    return {
        "rms": [[1.0] * (HIDDEN - 1) + [rms]] * 2,
        "histogram": [[shares] * HIDDEN] * 2,
        "gradient": [[1.0] * HIDDEN] * 2,
        "rate": 0.1,
        "test": list(test),
        "equal": [HIDDEN] * 2,
        "of": HIDDEN,
    }


def held():
    """Measurements with which every claim holds."""
    m = {
        name: {"classes": 10, "starts": {start: result() for start in STARTS}}
        for name in ACTIVATIONS
    }
    m["sigmoid"]["starts"]["sd 1"] = result(bins=(1, 18))
    m["sigmoid"]["starts"]["sd 0.01"] = result(bins=(8, 11))
    m["tanh"]["starts"]["Xavier"] = result((0.9, 0.91), 0.6)
    m["relu"]["starts"]["He"] = result((0.9, 0.91), 1.9)
    return m


def verdicts(m):
    return [v.verdict for v in judge(EXPERIMENT.claims, EXPERIMENT.evidence(m))]


@pytest.mark.parametrize(
    ("name", "start", "change", "index"),
    [
        ("sigmoid", "sd 1", result(bins=(1, 2, 17)), 0),
        ("sigmoid", "sd 0.01", result(bins=(7, 8)), 1),
        ("sigmoid", "zeros", {"equal": [HIDDEN, HIDDEN - 1]}, 2),
        ("tanh", "zeros", {"test": [0.21, 0.211]}, 3),
        ("tanh", "Xavier", {"rms": result(rms=0.4)["rms"]}, 4),
        ("relu", "He", {"rms": result(rms=2.1)["rms"]}, 5),
        ("relu", "sd 0.01", {"test": [0.895, 0.905]}, 6),
        ("tanh", "sd 1", {"test": [0.895, 0.905]}, 7),
    ],
)
def test_each_claim_can_fail(name, start, change, index):
    m = held()
    assert verdicts(m) == ["held"] * 8
    m[name]["starts"][start] |= change
    assert [i for i, word in enumerate(verdicts(m)) if word != "held"] == [index]
    assert verdicts(m)[index] == "failed"


def test_a_start_whose_training_diverges_is_not_judged():
    m = held()
    m["relu"]["starts"]["sd 0.01"] |= {"rate": None, "test": [], "equal": []}
    evidence = EXPERIMENT.evidence(m)
    assert evidence[6] == NotJudged("from sd 0.01, training diverged at every rate")
    assert verdicts(m)[6] == "not judged"
