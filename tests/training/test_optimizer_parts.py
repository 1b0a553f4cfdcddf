"""Optimizers by name and their parts: decay, clipping, schedules, averages, loss scaling."""

import inspect
import re
from functools import partial
from inspect import unwrap

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import fcnn
from fcnn import layers, models, training
from fcnn.layers import parameter_free
from fcnn.training.optimizers.optimizer import DIRECTIONS
from fcnn.training.optimizers.weight_decay import BIASES, OTHERS, decayed

P0, P = np.array([2.0, -3.0]), {"w": jnp.array([2.0, -3.0])}
GRADIENTS = np.array([[0.5, -1.0], [0.25, 2.0], [-4.0, 0.0], [1.0, 3.0]])


def path_of(optimizer, gradients=GRADIENTS, params=P, **extra):
    """The parameters w after each update with these gradients."""
    state, found = optimizer.init(params), []
    for g in gradients:
        each = jax.tree.map(
            lambda p, g=g: jnp.broadcast_to(jnp.asarray(g, p.dtype), p.shape), params
        )
        change, state = optimizer.update(each, state, params, **extra)
        params = optax.apply_updates(params, change)
        found.append(np.asarray(params["w"]))
    return np.array(found)


def expected_of(direction, rate=0.1):
    """p after each step of p = p - rate d, where direction(t, g, p, memory) gives d."""
    p, memory, found = P0, {"u": 0.0, "v": 0.0}, []
    for t, g in enumerate(GRADIENTS, 1):
        p = p - rate * direction(t, g, p, memory)
        found.append(p)
    return np.array(found)


def heavy_ball(t, g, p, memory, *, mu=0.9, ahead=False):
    memory["v"] = mu * memory["v"] + g
    return mu * memory["v"] + g if ahead else memory["v"]


def adagrad(t, g, p, memory):
    memory["u"] = memory["u"] + g**2
    return g / np.sqrt(memory["u"] + 1e-20)


def rmsprop(t, g, p, memory):
    memory["u"] = 0.9 * memory["u"] + 0.1 * g**2
    return g / (np.sqrt(memory["u"]) + 1e-8)


def adam(t, g, p, memory):
    memory["u"], memory["v"] = 0.9 * memory["u"] + 0.1 * g, 0.999 * memory["v"] + 0.001 * g**2
    return memory["u"] / (1 - 0.9**t) / (np.sqrt(memory["v"] / (1 - 0.999**t)) + 1e-8)


def lion(t, g, p, memory):
    d = np.sign(0.9 * memory["u"] + 0.1 * g)
    memory["u"] = 0.99 * memory["u"] + 0.01 * g
    return d


FORMULAS = {
    "sgd": lambda t, g, p, memory: g,
    "momentum": heavy_ball,
    "nesterov": partial(heavy_ball, ahead=True),
    "adagrad": adagrad,
    "rmsprop": rmsprop,
    "adam": adam,
    "adamw": adam,
    "lion": lion,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_each_optimizer_equals_its_formula_with_weight_decay(name):
    """In adamw and lion, weight decay is added to the direction, else to the gradient."""
    direction, e = FORMULAS[name], 0.3

    def decoupled(t, g, p, memory):
        return direction(t, g, p, memory) + e * p

    def regularized(t, g, p, memory):
        return direction(t, g + e * p, p, memory)

    of_decay = decoupled if name in ("adamw", "lion") else regularized
    for decay, expected in ((0.0, direction), (e, of_decay)):
        found = path_of(training.optimizer(name, 0.1, weight_decay=decay))
        np.testing.assert_allclose(found, expected_of(expected), rtol=1e-12)


def test_every_optimizer_has_a_formula():
    assert list(FORMULAS) == list(DIRECTIONS)


@pytest.mark.parametrize("name", ["momentum", "nesterov"])
def test_momentum_is_the_weight_of_the_old_velocity(name):
    found = path_of(training.optimizer(name, 0.1, momentum=0.5))
    expected = partial(heavy_ball, mu=0.5, ahead=name == "nesterov")
    np.testing.assert_allclose(found, expected_of(expected), rtol=1e-12)


def test_clipping_shortens_the_gradient_to_a_norm_before_weight_decay_is_added():
    found = path_of(training.optimizer("sgd", 0.1, clip=1.5, weight_decay=0.3))
    clipped = lambda t, g, p, memory: g * min(1, 1.5 / np.linalg.norm(g)) + 0.3 * p
    np.testing.assert_allclose(found, expected_of(clipped), rtol=1e-12)


def test_a_schedule_gives_the_learning_rate_of_each_step():
    rates = [0.1, 0.2, 0.3, 0.4]
    found = path_of(training.optimizer("sgd", lambda step: jnp.asarray(rates)[step]))
    expected = P0 - np.cumsum(np.array(rates)[:, None] * GRADIENTS, 0)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_plateau_divides_the_learning_rate_after_the_patience_in_epochs():
    """The mean losses of epochs of 2 steps are 3, 2, 2, 2, 2: the rate falls after epoch 4."""
    sgd = training.optimizer("sgd", 1.0, plateau=2, patience=2)
    state, rates = sgd.init(P), []
    for loss in (4.0, 2.0, *[1.0, 3.0] * 4):
        change, state = sgd.update({"w": jnp.ones(2)}, state, P, value=jnp.asarray(loss))
        rates.append(-float(change["w"][0]))
    np.testing.assert_allclose(rates, [1] * 7 + [0.1] * 3, rtol=1e-12)


KERNELS = {"w", "u", "wq", "wk", "wv", "wo", "depthwise", "pointwise", "table"}
WITHOUT_NAMES = {  # their parameters are those of other layers
    *("serial", "parallel", "residual", "repeat", "remat", "precision", "bidirectional"),
    *("leaf", "stateless", "with_state"),
}
ARGUMENTS = {
    **{name: (2, (1,)) for name in ("conv", "conv_transpose", "separable_conv")},
    **{
        name: (2,) for name in ("dense", "rnn", "lstm", "gru", "multi_head_attention", "group_norm")
    },
    "embedding": (2, 2),
    **{name: (0.5,) for name in dir(layers) if "dropout" in name or name == "stochastic_depth"},
}
MODELS = {
    "mlp": lambda: (models.mlp((3, 2)), (4,)),
    "cnn": lambda: (models.cnn(), (12, 12, 1)),
    "hybrid": lambda: (models.hybrid(1, 2, 3, 2), (8, 8, 1)),
    "lstm": lambda: (models.lstm(2, 2), (3, 2)),
    "mobilenet": lambda: (models.mobilenet(2, stem=4, blocks=((8, 2), (8, 1))), (8, 8, 1)),
    "resnet": lambda: (models.resnet(18, 2), (8, 8, 1)),
    "transformer": lambda: (models.transformer(5, depth=1, width=4, heads=2), (3,)),
}


def test_weight_decay_knows_the_parameters_of_every_layer():
    """A new name must be added to the kernels here, or to the names without decay."""
    names = set()
    for name in {*layers.__all__} - {*parameter_free.__all__} - WITHOUT_NAMES:
        make = getattr(layers, name)
        if inspect.isfunction(make) and "Layer" in str(inspect.signature(make).return_annotation):
            layer = make(*ARGUMENTS.get(name, ()))
            unknown = layer.parameters is None
            names |= {*(layers.shapes(layer, (3, 4))[0] if unknown else layer.parameters)}
    assert names == KERNELS | BIASES | OTHERS


@pytest.mark.parametrize("name", sorted({*models.__all__} - {"RUNGS", "ladder"}))
def test_weight_decay_knows_the_parameters_of_every_model(name):
    params, *_ = layers.shapes(*MODELS[name]())
    decays = decayed(params)
    for path, decay in jax.tree_util.tree_leaves_with_path(decays):
        assert decay == (path[-1].key in KERNELS)
    assert {True, False} == {*jax.tree.leaves(decays)}


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_weight_decay_acts_on_kernels_only_unless_it_acts_on_all(name):
    """The biases of `repeat` have two axes."""
    block = layers.serial(layers.dense(2), layers.layer_norm())
    params, *_ = layers.shapes(layers.repeat(block, 3), (2,))
    params = jax.tree.map(lambda a: jnp.ones(a.shape), params)
    zeros = jax.tree.map(jnp.zeros_like, params)
    for options, still in (({}, ["b", "bias", "scale"]), ({"decay_all": True}, [])):
        made = training.optimizer(name, 0.1, weight_decay=0.5, **options)
        change, _ = made.update(zeros, made.init(params), params)
        at_rest = {path.split("/")[-1] for path, a in layers.select(change).items() if not a.any()}
        assert sorted(at_rest) == still


RATES = {  # name, warm-up -> the share of the learning rate at steps of 100
    ("constant", None): {0: 1, 1: 1, 100: 1, 999: 1},
    ("constant", 10): {0: 0, 1: 0.1, 5: 0.5, 10: 1, 11: 1, 100: 1},
    ("cosine", None): {0: 1, 25: (1 + 0.5**0.5) / 2, 50: 0.5, 100: 0, 999: 0},
    ("cosine", 20): {0: 0, 5: 0.25, 20: 1, 60: 0.5, 100: 0, 999: 0},
    ("one_cycle", None): {0: 0.04, 10: 0.28, 15: 0.52, 30: 1, 65: 0.500002, 100: 4e-6, 999: 4e-6},
    ("one_cycle", 50): {0: 0.04, 25: 0.52, 50: 1, 75: 0.500002, 100: 4e-6},
    ("one_cycle", 0): {0: 1, 50: 0.500002, 100: 4e-6},
}


@pytest.mark.parametrize(("name", "warm_up"), RATES)
def test_a_schedule_has_known_values(name, warm_up):
    rate = training.schedule(name, 0.3, steps=100, warm_up=warm_up)
    for step, share in RATES[name, warm_up].items():
        np.testing.assert_allclose(rate(jnp.asarray(step)), 0.3 * share, rtol=1e-12, atol=1e-16)


def test_parts_of_an_optimizer_keep_strict_dtypes():
    """optax's bias correction does not, so this is sgd, and float32 among float64."""
    rate = training.schedule("one_cycle", 0.1, steps=9)
    options = {"weight_decay": 0.1, "clip": 1.0, "average": 0.9, "loss_scale": True}
    sgd = training.optimizer("sgd", rate, **options)
    params = {"w": jnp.ones(2, jnp.float32)}
    with jax.numpy_dtype_promotion("strict"):
        state = sgd.init(params)
        change, new = sgd.update(params, state, params)
    dtypes = lambda tree: [(a.dtype, a.weak_type) for a in jax.tree.leaves(tree)]
    assert dtypes(new) == dtypes(state)
    assert dtypes(change) == dtypes(params)


WRONG = {
    "name": (
        lambda: training.optimizer("adm", 0.1),
        r"optimizer: unknown optimizer 'adm'; expected one of sgd, .*; did you mean adam\?",
    ),
    "schedule": (
        lambda: training.schedule("cosin", 0.1, steps=3),
        r"schedule: unknown schedule 'cosin'; expected .*; did you mean cosine\?",
    ),
    "plateau": (
        lambda: training.schedule("plateau", 0.1, steps=3),
        r"unknown schedule 'plateau'; .*; write optimizer\(..., plateau=steps of an epoch\)",
    ),
    "rate": (lambda: training.optimizer("sgd", -0.1), "learning_rate -0.1 must be at least 0"),
    "rate by name": (
        lambda: unwrap(training.optimizer)("sgd", "0.1"),
        "optimizer: learning_rate '0.1' must be a number",
    ),
    "momentum": (
        lambda: training.optimizer("momentum", 0.1, momentum=1.0),
        "optimizer: momentum 1.0 must be at least 0 and below 1",
    ),
    "no momentum": (
        lambda: training.optimizer("adam", 0.1, momentum=0.5),
        "optimizer: momentum 0.5: adam has none; leave it out",
    ),
    "decay": (lambda: training.optimizer("sgd", 0.1, weight_decay=-1.0), "weight_decay -1.0 must"),
    "clip": (lambda: training.optimizer("sgd", 0.1, clip=0.0), "clip 0.0 must be above 0"),
    "epoch": (lambda: training.optimizer("sgd", 0.1, plateau=0), "plateau 0 must be at least 1"),
    "average": (
        lambda: training.optimizer("sgd", 0.1, average=1.0),
        "averaged: decay 1.0 must lie between 0 and 1",
    ),
    "steps": (lambda: training.schedule("cosine", 0.1, steps=0), "steps 0 must be at least 1"),
    "warm-up": (
        lambda: training.schedule("cosine", 0.1, steps=5, warm_up=5),
        r"schedule: warm_up 5 must be in 0 .. 4, below steps",
    ),
    "optimizer to average": (
        lambda: unwrap(training.averaged)("adam"),
        "averaged: optimizer 'adam' is not an optimizer of optax",
    ),
    "scale": (
        lambda: training.loss_scaled(optax.sgd(0.1), initial=0.5),
        r"loss_scaled: initial 0.5 must lie in \[1, 2\*\*100\]",
    ),
    "scale inside": (
        lambda: training.loss_scale(optax.chain(training.loss_scaled(optax.sgd(0.1))).init(P)),
        "loss_scaled must be the outermost part of the optimizer",
    ),
    "share": (
        lambda: training.smoothed_cross_entropy(1.5),
        r"smoothed_cross_entropy: share 1.5 must lie in \[0, 1\]",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_bad_options_are_rejected_in_one_line(wrong):
    make, message = WRONG[wrong]
    with pytest.raises((TypeError, ValueError)) as caught:
        make()
    assert re.search(message, str(caught.value))
    assert "\n" not in str(caught.value)


def test_the_average_is_the_weighted_mean_of_the_parameters_after_each_update():
    """In float32, where 1 - decay^t would lose digits; also inside a chain and loss scaling."""
    decay = 0.999
    inner = training.averaged(optax.sgd(0.1), decay)
    params = {"w": jnp.asarray(P0, jnp.float32)}
    for wrap in (lambda made: made, optax.chain, training.loss_scaled):
        made = wrap(inner)
        train_state = training.TrainState(jnp.zeros(()), params, {}, made.init(params), None)
        np.testing.assert_array_equal(training.averaged_params(train_state)["w"], params["w"])
        path = path_of(inner, params=params)
        for t, g in enumerate(GRADIENTS, 1):
            scale = 2.0**15 if wrap is training.loss_scaled else 1
            g = {"w": jnp.asarray(g * scale, jnp.float32)}
            change, state = made.update(g, train_state.opt_state, train_state.params)
            new = optax.apply_updates(train_state.params, change)
            train_state = train_state._replace(params=new, opt_state=state)
            weights = decay ** np.arange(t - 1, -1, -1.0)
            expected = np.average(path[:t].astype(float), axis=0, weights=weights)
            found = training.averaged_params(train_state)["w"]
            assert found.dtype == jnp.float32
            np.testing.assert_allclose(found, expected, rtol=3e-7)


def test_the_average_of_bfloat16_parameters_moves():
    """In bfloat16, 1 + (2 - 1) / 1000 is 1."""
    made = training.averaged(optax.sgd(1.0), 0.999)
    params = {"w": jnp.ones(1, jnp.bfloat16)}
    state = made.init(params)._replace(steps=jnp.asarray(10**6, jnp.int32))
    for _ in range(3):
        _, state = made.update({"w": -jnp.ones(1, jnp.bfloat16)}, state, params)
    np.testing.assert_allclose(state.average["w"], 2 - 0.999**3, rtol=1e-6)


def test_parameters_that_are_not_averaged_are_returned():
    made = optax.sgd(0.1)
    train_state = training.TrainState(jnp.zeros(()), P, {}, made.init(P), None)
    assert training.averaged_params(train_state) is P


def test_the_scale_halves_for_gradients_that_are_not_finite_and_doubles_after_good_steps():
    made = training.loss_scaled(optax.sgd(0.1, momentum=0.5), initial=4.0, growth_interval=2)
    state, params, scales = made.init(P), P, []
    for g in (1.0, 1.0, np.inf, 1.0, np.nan, np.inf, np.inf, np.nan, 1.0, 1.0, 1.0):
        before, old = state, params
        change, state = made.update({"w": jnp.full(2, g) * state.scale}, state, params)
        params = optax.apply_updates(params, change)
        scales.append(float(state.scale))
        if not np.isfinite(g):
            np.testing.assert_array_equal(params["w"], old["w"])
            kept = zip(*map(jax.tree.leaves, (state.inner, before.inner)), strict=True)
            assert all((a == b).all() for a, b in kept)
    assert scales == [4, 8, 4, 4, 2, 1, 1, 1, 1, 2, 2]
    expected = path_of(optax.sgd(0.1, momentum=0.5), gradients=[1.0] * 6)[-1]
    np.testing.assert_array_equal(params["w"], expected)


def test_the_scale_stays_finite():
    made = training.loss_scaled(optax.sgd(0.1), initial=2.0**100, growth_interval=1)
    _, state = made.update(P, made.init(P), P)
    assert float(state.scale) == 2.0**100


def test_smoothed_labels_may_be_integers_or_probabilities():
    logits = jnp.asarray(np.random.default_rng(0).standard_normal((4, 3)))
    y = jnp.array([0, 2, 1, 1])
    loss = training.smoothed_cross_entropy(0.3)
    expected = fcnn.softmax_cross_entropy(logits, y, label_smoothing=0.3)
    np.testing.assert_allclose(loss(logits, y), expected, rtol=1e-14)
    one_hot = jax.nn.one_hot(y, 3, dtype=jnp.float32)
    np.testing.assert_allclose(loss(logits, one_hot), expected, rtol=1e-14)
    mixed = 0.25 * one_hot + 0.75 * one_hot[::-1]
    found = training.smoothed_cross_entropy(0.0)(logits, mixed)
    of = lambda labels: fcnn.softmax_cross_entropy(logits, labels)
    np.testing.assert_allclose(found, 0.25 * of(y) + 0.75 * of(y[::-1]), rtol=1e-12)
