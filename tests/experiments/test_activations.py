"""Known answers of the measures of the experiment activations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn
from experiments.activations import slopes
from experiments.activations.learning import by_call, steps_to
from experiments.activations.networks import KINDS, dead_share, network
from experiments.framework.experiment import Log
from fcnn import summary
from fcnn.layers import frelu, initializers, serial

LOG = Log(lambda **_: None, lambda _: None, lambda *_: None)


def test_the_steps_to_a_loss_end_at_the_first_window_below_it():
    loss = np.array([3.0, 1, 1, 1, 0, 0])
    assert steps_to(loss, target=1, window=2) == 3
    assert steps_to(loss, target=0.5, window=2) == 5
    assert steps_to(loss, target=3, window=1) == 1
    assert steps_to(loss, target=-1, window=2) == 6  # never: all steps


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
