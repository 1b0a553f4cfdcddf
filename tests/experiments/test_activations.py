"""Known answers of the measures of the experiment activations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn
from experiments.activations import EXPERIMENT, slopes
from experiments.activations.learning import HIGH, USUAL, by_call
from experiments.activations.networks import KINDS, dead_share, network
from experiments.framework.claim import NotJudged
from experiments.framework.curves import mean_steps
from experiments.framework.experiment import Log
from experiments.framework.verdict import judge
from fcnn import summary
from fcnn.layers import frelu, initializers, serial

LOG = Log(lambda **_: None, lambda _: None, lambda *_: None)


def test_losses_are_averaged_over_seeds_and_calls():
    loss = np.stack([np.repeat([1.0, 3.0], 25), np.repeat([2.0, 5.0], 25)])
    np.testing.assert_array_equal(by_call(loss), [1.5, 4])


def test_numbers_have_all_exponents_both_signs_and_no_nan():
    x = np.concatenate(list(slopes.numbers(slopes.SMOKE_STRIDE)))
    assert not np.isnan(x).any()
    assert {*np.frexp(np.abs(x[np.isfinite(x)]))[1]} >= {*range(-125, 129)}
    largest = np.finfo(np.float32).max
    assert {np.inf, -np.inf, largest, -largest} <= {*x.tolist()}
    assert len(x) == 40001 + 10 + 2**32 // slopes.SMOKE_STRIDE + 1 - 16  # 16 are NaN


@pytest.mark.usefixtures("jax_defaults")
def test_a_slope_above_the_bound_is_counted(monkeypatch):
    monkeypatch.setitem(slopes.FUNCTIONS, "tanh", lambda x: 2 * fcnn.sigmoid(4 * x))
    found = slopes.bounded(slopes.SMOKE_STRIDE, LOG)
    assert found["sigmoid"]["within"] == found["sigmoid"]["of"]
    assert found["tanh"]["within"] < found["tanh"]["of"]
    assert found["tanh"]["largest"] == 2


@pytest.mark.usefixtures("jax_defaults")
def test_units_of_relu_without_a_positive_input_are_dead():
    model = network(KINDS["relu"], 10, depth=1)
    params, _ = model.init(jax.random.key(0), (4, 4, 1))
    x = jax.random.uniform(jax.random.key(1), (20, 4, 4, 1))
    params["dense1"]["b"] = jnp.where(jnp.arange(64) < 16, -100.0, 100.0)
    assert dead_share(model, "relu", params, x) == 16 / 64


@pytest.mark.usefixtures("jax_defaults")
@pytest.mark.parametrize(("kernel", "dead"), [(initializers.zeros, 0.5), (initializers.ones, 0)])
def test_channels_of_frelu_are_flat_only_with_a_flat_convolution(kernel, dead):
    """max(x, 0) is flat in the negative one of two channels; max(x, x) is not."""
    model = serial(frelu((1, 1), w_init=kernel))
    params, _ = model.init(jax.random.key(0), (2, 2, 2))
    x = jnp.ones((3, 2, 2, 2)) * jnp.array([-1.0, 1.0])
    assert dead_share(model, "frelu", params, x) == dead


def test_frelu_adds_ten_parameters_per_channel():
    count = lambda name: summary(network(KINDS[name], 10), (8, 8, 1)).parameters
    assert count("FReLU, conv") - count("relu, conv") == 10 * (16 + 32)


@pytest.mark.usefixtures("jax_defaults")
@pytest.mark.parametrize("name", KINDS)
def test_every_network_has_dead_units_of_its_activation(name):
    """Shapes only, without compilation."""
    model, x = network(KINDS[name], 10), jax.ShapeDtypeStruct((3, 8, 8, 1), jnp.float32)
    params, _ = jax.eval_shape(lambda key: model.init(key, (8, 8, 1)), jax.random.key(0))
    count = lambda params, x: dead_share(model, KINDS[name].activation().name, params, x)
    assert jax.eval_shape(count, params, x).shape == ()


def trained(test, dead=(0.0, 0.0), high=None, steps=(100, 110)):
    """A result with two seeds, and the same accuracy at both rates unless `high` is given."""
    rates = {"rates": [USUAL, HIGH], "best": USUAL, "test": [test, high or test]}
    return rates | {"dead": [[0.0, 0.01], list(dead)], "steps": list(steps), "all_steps": 900}


def held():
    """Measurements with which every claim holds."""
    bound = lambda of: {"within": of, "of": of}
    cured, killed = trained([0.96, 0.961], (0.02, 0.03)), (0.4, 0.41)
    seconds = {"seconds": {"sigmoid": [9.0, 9.1], "relu": [2.0, 2.1]}}
    return {
        "slopes": {"sigmoid": bound(10), "tanh": bound(11)},
        "time in the cache": seconds,
        "time beyond the cache": dict(seconds),
        "sigmoid": trained([0.9, 0.901], steps=(500, 510)),
        "tanh": trained([0.95, 0.951]),
        "relu": trained([0.96, 0.961], killed, high=[0.5, 0.51]),
        **{name: dict(cured) for name in ("leaky relu", "ELU", "swish", "mish")},
        "relu, conv": trained([0.97, 0.971], killed),
        "FReLU, conv": trained([0.98, 0.981]),
    }


def verdicts(m):
    return [v.verdict for v in judge(EXPERIMENT.claims, EXPERIMENT.evidence(m))]


EQUAL = {"seconds": {"sigmoid": [3.0, 3.1], "relu": [2.0, 2.1]}}


@pytest.mark.parametrize(
    ("name", "change", "index"),
    [
        ("slopes", {"sigmoid": {"within": 9, "of": 10}}, 0),
        ("slopes", {"tanh": {"within": 10, "of": 11}}, 1),
        ("sigmoid", {"steps": [150, 160]}, 2),
        ("tanh", {"test": [[0.8, 0.801]] * 2}, 3),
        ("time in the cache", EQUAL, 4),
        ("time beyond the cache", EQUAL, 5),
        ("relu", {"dead": [[0.35, 0.36], [0.4, 0.41]]}, 6),
        ("mish", {"dead": [[0, 0], [0.5, 0.51]]}, 7),
        ("leaky relu", {"test": [[0.96, 0.961], [0.4, 0.41]]}, 8),
        ("FReLU, conv", {"dead": [[0, 0], [0.5, 0.51]]}, 9),
        ("FReLU, conv", {"test": [[0.9, 0.901]] * 2}, 10),
    ],
)
def test_each_claim_can_fail(name, change, index):
    m = held()
    assert verdicts(m) == ["held"] * 11
    m[name] = m[name] | change
    assert [i for i, word in enumerate(verdicts(m)) if word != "held"] == [index]
    assert verdicts(m)[index] == "failed"


@pytest.mark.parametrize(
    ("sigmoid", "relu", "verdict"),
    [
        ((None, None), (100, 110), "held"),  # at least 3 doublings
        ((None, 510), (460, 470), "not judged"),  # the lower bound is below the margin
        ((500, 510), (100, None), "not judged"),
        ((None, None), (None, None), "not judged"),
    ],
)
def test_a_loss_that_is_not_reached_gives_a_lower_bound_or_no_verdict(sigmoid, relu, verdict):
    m = held()
    m["sigmoid"]["steps"], m["relu"]["steps"] = list(sigmoid), list(relu)
    assert verdicts(m)[2] == verdict
    if None in relu:
        evidence = EXPERIMENT.evidence(m)[2]
        assert isinstance(evidence, NotJudged)
        assert evidence.reason.startswith("relu did not reach 0.1 nats with")
    assert mean_steps(m["sigmoid"]).startswith("≥ ") == (None in sigmoid)
