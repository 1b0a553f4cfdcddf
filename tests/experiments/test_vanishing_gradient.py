"""Known answers of the measures of the experiment vanishing_gradient."""

from functools import partial
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import fcnn
from experiments.framework.experiment import Log
from experiments.framework.verdict import judge
from experiments.vanishing_gradient import EXPERIMENT
from experiments.vanishing_gradient.gradients import gradients, halved_exactly, rms_by_layer
from experiments.vanishing_gradient.measure import GRADIENTS, HALVED, REMEDIES
from experiments.vanishing_gradient.networks import ACTIVATIONS, CLAIMED, DEEPEST, UNITS, network
from experiments.vanishing_gradient.pretraining import beginning, layer, pretrained
from fcnn.training import TrainState

LOG = Log(lambda **_: None, lambda _: None, lambda *_: None)
SHAPE, DEPTH, KEY = (2, 2, 1), 3, jax.random.key(0)
X, Y = np.random.default_rng(0).random((6, *SHAPE), np.float32), np.arange(6, dtype=np.int32) % 3


def unrolled(params, x):
    """The logits of the residual network with tanh, layer by layer."""
    h = x.reshape(len(x), -1) @ params["first"]["w"]
    for w in params["others"]["body"]["dense1"]["w"]:
        h += jnp.tanh(h) @ w
    return jnp.tanh(h) @ params["head"]["w"]


@pytest.mark.usefixtures("jax_defaults")
def test_gradients_are_those_of_the_residual_network_layer_by_layer():
    model = network("tanh", DEPTH, 3, "residual")
    loss = lambda params: fcnn.softmax_cross_entropy(unrolled(params, X), jnp.asarray(Y)).mean()

    def both(key):
        params, state = model.init(key, SHAPE)
        g = jax.grad(loss)(params)
        expected = g["first"]["w"], g["others"]["body"]["dense1"]["w"]
        return gradients(model, params, state, X, Y), expected

    found, expected = jax.jit(both)(KEY)
    assert found[1].shape == (DEPTH - 1, UNITS, UNITS)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_root_mean_squares_by_layer_do_not_underflow():
    first, others = np.full((2, 4, 3), 3e-30), np.full((2, 2, 3, 3), -1e-30)
    np.testing.assert_allclose(rms_by_layer((first, others)), [[3e-30, 1e-30, 1e-30]] * 2)


@pytest.mark.usefixtures("jax_defaults")
def test_half_the_weights_divide_the_gradient_of_relu_by_the_power_of_two():
    model = network("relu", DEEPEST, 3)
    found = lambda layers: halved_exactly(model, layers, KEY, jnp.asarray(X))
    right, wrong = jax.jit(lambda: (found(DEEPEST), found(DEEPEST - 1)))()
    assert right[0] == right[1] > 0
    assert wrong[0] == 0 < wrong[1]


@pytest.mark.usefixtures("jax_defaults")
def test_a_pretrained_layer_reconstructs_its_input():
    """One number in four inputs is learned by one unit, and read out of its code."""
    h = jnp.linspace(-1, 1, 40)[:, None] * jnp.array([1.0, -1.0, 0.5, 0.0])
    begun = {"w": jnp.full((4, 1), 0.1), "b": jnp.zeros(1)}
    learn = jax.jit(partial(layer, lambda x: x, 30, 200))
    found, code = learn(KEY, begun, h)
    np.testing.assert_allclose(code, h @ found["w"] + found["b"], atol=1e-5)
    slope = np.linalg.lstsq(code - code.mean(), h - h.mean(0), rcond=None)[0]
    np.testing.assert_allclose((code - code.mean()) @ slope, h - h.mean(0), atol=1e-4)
    assert jnp.abs(found["w"] - begun["w"]).max() > 0.01


@pytest.mark.usefixtures("jax_defaults")
def test_training_starts_from_the_pretrained_layers_each_time():
    shapes, _ = jax.eval_shape(lambda key: network("sigmoid", 3, 3).init(key, SHAPE), KEY)
    draw = lambda a: np.random.default_rng(1).normal(0, 0.1, (2, *a.shape)).astype(np.float32)
    before = jax.tree.map(draw, shapes)
    state = TrainState(jnp.zeros(2), before, {}, optax.EmptyState(), KEY)
    trials: Any = SimpleNamespace(label="", seeds=SimpleNamespace(start=lambda: state))
    params = pretrained("sigmoid", before, X, X[:2], LOG, 2)
    assert jax.tree.map(np.shape, params) == jax.tree.map(np.shape, before)
    np.testing.assert_array_equal(params["head"]["w"], before["head"]["w"])
    weights = lambda p: (p["first"]["w"], p["others"]["dense1"]["w"])
    for new, old in zip(weights(params), weights(before), strict=True):
        assert (new != old).any((-2, -1)).all()  # each layer of each seed
    begin = beginning(trials, "pretraining", params)
    for _ in range(2):
        begun = begin.seeds.start().params
        np.testing.assert_array_equal(begun["first"]["w"], params["first"]["w"])
        jax.tree.map(lambda a: a.delete(), begun)  # as training does
    np.testing.assert_array_equal(trials.seeds.start().params["first"]["w"], before["first"]["w"])


def held():
    """Measurements with which every claim holds."""
    falls = {"sigmoid": 4.5, "tanh": 3.0, "relu": 0.5}
    rms = {
        name: [[[10**-fall] + [1.0] * (d - 1)] * 2 for d in (CLAIMED, DEEPEST)]
        for name, fall in falls.items()
    }
    test = {name: [0.9, 0.91] for name in REMEDIES} | {"plain": [0.1, 0.11]}
    return {
        GRADIENTS: {"depths": [CLAIMED, DEEPEST], "rms": rms},
        HALVED: {"depths": [2], "counts": [[9, 9]]},
        **{name: {"test": test[name]} for name in REMEDIES},
    }


def verdicts(m):
    return [v.verdict for v in judge(EXPERIMENT.claims, EXPERIMENT.evidence(m))]


@pytest.mark.parametrize(
    ("name", "change", "index"),
    [
        ("relu", [[10**-1.1] + [1.0] * 29], 2),
        (HALVED, {"counts": [[9, 9], [8, 9]]}, 4 - 1),
        ("batch norm", {"test": [0.19, 0.2]}, 4),
        ("residual", {"test": [0.19, 0.2]}, 5),
        ("pretraining", {"test": [0.19, 0.2]}, 6),
        ("relu, pretraining", {"test": [0.92, 0.93]}, 7),
    ],
)
def test_each_claim_can_fail(name, change, index):
    m = held()
    assert verdicts(m) == ["held"] * 8
    if name in ACTIVATIONS:
        m[GRADIENTS]["rms"][name][-1] = change * 2
    else:
        m[name] |= change
    assert [i for i, word in enumerate(verdicts(m)) if word != "held"] == [index]
    assert verdicts(m)[index] == "failed"


@pytest.mark.parametrize(("sigmoid", "tanh", "failed"), [(3.9, 2.0, [0]), (4.5, 3.9, [1])])
def test_each_claim_on_the_fall_can_fail(sigmoid, tanh, failed):
    m = held()
    for name, fall in (("sigmoid", sigmoid), ("tanh", tanh)):
        m[GRADIENTS]["rms"][name][0] = [[10**-fall] + [1.0] * (CLAIMED - 1)] * 2
    assert [i for i, word in enumerate(verdicts(m)) if word == "failed"] == failed
