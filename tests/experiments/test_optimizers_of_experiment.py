"""Known answers of the measures of the experiment optimizers."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.framework.claim import NotJudged
from experiments.framework.verdict import judge
from experiments.optimizers import EXPERIMENT
from experiments.optimizers.effective import ADAPTIVE, RATE, followed
from experiments.optimizers.evidence import STRAIGHTER, furthest
from experiments.optimizers.measure import EFFECTIVE, PATHS, RATES, lost, trained_part
from experiments.optimizers.methods import METHODS
from experiments.optimizers.networks import NETWORKS, as_input
from experiments.optimizers.valley import START, STARTS, STEPS, USUAL, across, path, turns
from fcnn.data import Images

GRADIENTS = ([1.0, -2.0], [3.0, 1.0])


def by_hand(name):
    """The movement after two steps with the rate 0.1, by the equations of methods.py."""
    v = h = m = u = s = np.zeros(2)
    moved = np.zeros(2)
    for t, g in enumerate(np.array(GRADIENTS), 1):
        v, h, u = 0.9 * v + g, h + g**2, 0.9 * u + 0.1 * g**2
        m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g**2
        moved += {
            "SGD": g,
            "momentum": v,
            "Nesterov": 0.9 * v + g,
            "AdaGrad": g / np.sqrt(h),
            "RMSProp": g / np.sqrt(u + 1e-8),
            "Adam": m / (1 - 0.9**t) / (np.sqrt(s / (1 - 0.999**t)) + 1e-8),
        }[name]
    return -0.1 * moved


@pytest.mark.usefixtures("jax_defaults")
@pytest.mark.parametrize("name", METHODS)
def test_each_method_follows_its_equation(name):
    p, method = jnp.zeros(2), METHODS[name](0.1)
    state = method.init(p)
    for g in GRADIENTS:
        update, state = method.update(jnp.array(g), state)
        p = optax.apply_updates(p, update)
    np.testing.assert_allclose(np.asarray(p), by_hand(name), rtol=1e-5)


@pytest.mark.usefixtures("jax_defaults")
def test_sgd_on_the_valley_follows_its_closed_form():
    """x is multiplied by 1 - r / 10 and y by 1 - 2 r at each step."""
    points = np.asarray(path("SGD", 0.95, jnp.array(STARTS)))
    x, y = points[:, STARTS.index(START)].T
    np.testing.assert_allclose(x, -7 * 0.905 ** np.arange(STEPS + 1), rtol=1e-5)
    np.testing.assert_allclose(y, 2 * (-0.9) ** np.arange(STEPS + 1), rtol=1e-5)
    assert turns(points).tolist() == [STEPS] * len(STARTS)


def test_a_path_is_measured_by_changes_of_sign_and_its_share_across():
    zigzag = np.array([[0, 1], [1, -1], [2, 1], [3, 1], [4, 0], [5, 0]], float)
    straight = np.array([[0, 5], [1, 4], [2, 3], [3, 2], [4, 1], [5, 0]], float)
    points = np.stack([zigzag, straight], axis=1)
    assert turns(points).tolist() == [2, 0]
    assert across(points).tolist() == [0.5, 0.5]


@pytest.mark.usefixtures("jax_defaults")
@pytest.mark.parametrize(
    ("name", "fell", "compared"),
    [("SGD", 3, 3), ("AdaGrad", 3, 3), ("RMSProp", 2, 3)],
)
def test_an_effective_step_is_compared_where_there_is_a_gradient(name, fell, compared):
    """RMSProp's step grows when a gradient of 1 follows one of 5; AdaGrad's does not."""
    gradients = jnp.array([[1.0, 0.0], [5.0, 2.0], [1.0, 0.0], [0.0, 2.0]])
    order = jnp.arange(len(gradients))
    found = followed(METHODS[name](RATE), jnp.zeros(2), lambda p, i: gradients[i], order)
    assert [int(each.sum()) for each in found[:2]] == [fell, compared]
    median = {"SGD": 1.0, "AdaGrad": 1.0, "RMSProp": 0.1**-0.5}
    assert found[2][0] == pytest.approx(median[name], rel=1e-5)


@pytest.mark.usefixtures("jax_defaults")
def test_growing_steps_are_counted():
    grow = optax.scale_by_schedule(lambda count: 1.0 + count)
    found = followed(grow, jnp.zeros(3), lambda p, i: jnp.ones(3), jnp.arange(4))
    assert [int(each.sum()) for each in found[:2]] == [0, 9]


@pytest.mark.usefixtures("jax_defaults")
def test_the_lstm_reads_rows_and_all_networks_have_logits():
    images = Images(np.arange(2 * 8 * 8.0).reshape(2, 8, 8, 1), np.zeros(2, int))
    assert as_input("LSTM", images).x.shape == (2, 8, 8)
    np.testing.assert_array_equal(as_input("LSTM", images).x[1, 2], images.x[1, 2, :, 0])
    for network, build in NETWORKS.items():
        x = as_input(network, images).x
        assert jax.eval_shape(partial(applied, build(7)), x).shape == (2, 7)


def applied(net, x):
    params, state = net.init(jax.random.key(0), x.shape[1:])
    return net.apply(params, state, jnp.asarray(x, jnp.float32))[0]


def result(steps, test=(0.9, 0.91), off=0.5):
    """A result with two seeds whose best rate is 1; `off` is the accuracy beside it."""
    rates = [0.25, 1.0, 4.0]
    validation = [[off, off], [0.9, 0.92], [off, off]]
    found = {"rate": 1.0, "rates": rates, "validation": validation, "chance": 0.1}
    return found | {"steps": list(steps), "all_steps": 900, "test": list(test), "loss": [1.0]}


def held():
    """Measurements with which every claim holds."""
    counts = {name: {"turns": [3, 4]} for name in USUAL} | {"SGD": {"turns": [30, 30]}}
    m = {PATHS: counts, EFFECTIVE: {name: {"fell": 9, "of": 9} for name in ADAPTIVE}}
    steps = {"SGD": (400, 420), "momentum": (150, 160), "Nesterov": (120, 130)}
    for i, (network, name) in enumerate((n, k) for n in NETWORKS for k in METHODS):
        best = i % (len(METHODS) + 1) == 0  # another method is the best one of each network
        off = {"SGD": 0.4, "Adam": 0.8}.get(name, 0.5)
        test = (0.98, 0.99) if best else (0.9, 0.91)
        found = result(steps.get(name, (100, 104)), test, off)
        found["validation"][1] = [0.94, 0.96] if best else [0.9, 0.92]
        m[trained_part(network, name)] = found
    return m


def verdicts(m):
    return [v.verdict for v in judge(EXPERIMENT.claims, EXPERIMENT.evidence(m))]


def everywhere(m, method, **change):
    for network in NETWORKS:
        m[trained_part(network, method)] |= change


@pytest.mark.parametrize(
    ("change", "index"),
    [
        (lambda m: m[PATHS].update({STRAIGHTER[1]: {"turns": [3, 30]}}), 0),
        (lambda m: m[EFFECTIVE]["AdaGrad"].update(fell=8), 1),
        (lambda m: m["MLP, Adam"].update(steps=[800, 840]), 2),
        (lambda m: m["CNN, Adam"].update(steps=[800, 840]), 3),
        (lambda m: m["LSTM, Adam"].update(steps=[800, 840]), 4),
        (lambda m: everywhere(m, "momentum", steps=[800, 840]), 5),
        (lambda m: everywhere(m, "Nesterov", steps=[300, 320]), 6),
        (lambda m: everywhere(m, "SGD", validation=[[0.85, 0.85], [0.9, 0.92], [0.85, 0.85]]), 7),
        (lambda m: [everywhere(m, name, test=[0.98, 0.99]) for name in METHODS], 8),
    ],
)
def test_each_claim_can_fail(change, index):
    m = held()
    assert verdicts(m) == ["held"] * len(EXPERIMENT.claims)
    change(m)
    assert [i for i, word in enumerate(verdicts(m)) if word != "held"] == [index]
    assert verdicts(m)[index] == "failed"


@pytest.mark.parametrize(
    ("slow", "fast", "verdict"),
    [
        ((None, None), (100, 100), "held"),  # at least 3 doublings
        ((None, 910), (920, 930), "not judged"),  # the lower bound is below the margin
        ((500, 510), (100, None), "not judged"),
    ],
)
def test_a_loss_that_is_not_reached_gives_a_lower_bound_or_no_verdict(slow, fast, verdict):
    m = held()
    m["MLP, SGD"]["steps"], m["MLP, Adam"]["steps"] = list(slow), list(fast)
    assert verdicts(m)[2] == verdict


def test_a_run_that_was_stopped_judges_what_it_has():
    m = held()
    del m["CNN, SGD"]
    assert verdicts(m) == ["held"] * 2 + ["not judged"] * 7
    assert all(isinstance(each, NotJudged) for each in EXPERIMENT.evidence({}))


def test_accuracy_lost_is_the_mean_of_both_sides_and_chance_where_training_diverges():
    r = result((1, 1), off=0.5)
    np.testing.assert_allclose(lost(r), [40, 42])
    r["validation"][2] = []
    np.testing.assert_allclose(lost(r), [100 * (0.9 - 0.3), 100 * (0.92 - 0.3)])
    assert {4 * rate for rate in RATES[:-2]} == {*RATES[2:]}  # both sides are in the grid


def test_methods_and_network_are_chosen_by_validation_accuracy():
    """Adam is best on average; the CNN's best method is AdaGrad, which tests worse."""
    m = held()
    m["CNN, AdaGrad"] |= {"validation": [[0.5, 0.5], [0.96, 0.98], [0.5, 0.5]], "test": [0.1, 0.2]}
    everywhere(m, "Adam", validation=[[0.8, 0.8], [0.93, 0.95], [0.8, 0.8]])
    assert furthest(m) == ("CNN", "AdaGrad", "Adam")
    assert verdicts(m)[8] == "failed"
