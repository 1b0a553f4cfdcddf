"""Known answers of the networks and measures of the experiment controls, and its evidence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn
from experiments.controls import EXPERIMENT
from experiments.controls.measure import RUNS, TIMING, permutation, permuted
from experiments.controls.networks import locally_connected, networks
from experiments.framework.verdict import judge
from fcnn.data import Images

SHAPE = (12, 12, 1)


def test_equal_weights_at_every_pixel_are_a_convolution():
    rng = np.random.default_rng(0)
    x, w, b = (jnp.asarray(rng.standard_normal(s)) for s in ((2, 5, 4, 3), (3, 3, 3, 2), (2,)))
    params = {
        "k": jnp.broadcast_to(w.reshape(27, 2), (5, 4, 27, 2)),
        "b": jnp.broadcast_to(b, (5, 4, 2)),
    }
    y, _ = locally_connected(2).apply(params, {}, x)
    np.testing.assert_allclose(y, fcnn.conv(x, w, b, padding="same"), atol=1e-12)


def test_weights_of_one_pixel_change_the_output_of_that_pixel():
    layer, x = locally_connected(2), jnp.ones((1, 4, 4, 1))
    params, _ = layer.init(jax.random.key(0), (4, 4, 1))
    changed = params | {"k": params["k"].at[1, 2].add(1)}
    y, other = (layer.apply(p, {}, x)[0] for p in (params, changed))
    assert np.argwhere((y != other).any(-1)).tolist() == [[0, 1, 2]]


def test_one_permutation_of_pixels_for_all_images():
    x = np.arange(3 * 4 * 5 * 2.0).reshape(3, 4, 5, 2)
    order = permutation((4, 5))
    found = permuted(Images(x, np.arange(3)), order)
    assert found.y.tolist() == [0, 1, 2]
    assert (found.x != x).any()
    flat = found.x.reshape(3, 20, 2)
    np.testing.assert_array_equal(flat[:, np.argsort(order)], x.reshape(3, 20, 2))
    moved = flat[0, :, 0] // 2
    for i in range(3):
        np.testing.assert_array_equal(flat[i, :, 1] - flat[i, :, 0], 1)  # channels stay together
        np.testing.assert_array_equal(flat[i, :, 0] // 2 - 20 * i, moved)


@pytest.mark.usefixtures("jax_defaults")
def test_networks_have_their_budgets():
    nets = networks(SHAPE, 10, 8)
    assert set(nets) == {run.network for run in RUNS.values()}
    rows = {name: fcnn.summary(net, SHAPE) for name, net in nets.items()}
    conv = rows["conv3"]
    assert rows["dense-wide"].multiply_adds == pytest.approx(conv.multiply_adds, rel=0.03)
    for name in nets.keys() - {"dense-wide"}:
        assert rows[name].parameters == pytest.approx(conv.parameters, rel=0.03), name
    for kind in ("dense", "conv3"):
        assert rows[f"{kind}-tanh"].parameters == rows[kind].parameters
        paths = lambda name: [row.path.replace("tanh", "relu") for row in rows[name].rows]
        assert paths(f"{kind}-tanh") == paths(kind)


def run(test, steps=(100, 110)):
    learned = {"target": 0.95, "all_steps": 500, "curve": [0.5] * 481}
    return {"test": [test, test + 0.01], "steps": list(steps)} | learned


def held():
    """Measurements with which every claim holds."""
    return {
        "dense": run(0.9, steps=(300, 310)),
        "conv3": run(0.96),
        "dense-wide": run(0.92),
        "local3": run(0.94),
        "dense, permuted pixels": run(0.9),
        "conv3, permuted pixels": run(0.88),
        "dense, rate / 4": run(0.85),
        "conv3, rate / 4": run(0.9),
        "dense, tanh": run(0.85),
        "conv3, tanh": run(0.9),
        TIMING: {"step_seconds": {"dense": 0.01, "conv3": 0.01}},
    }


def verdicts(m):
    return [v.verdict for v in judge(EXPERIMENT.claims, EXPERIMENT.evidence(m))]


def test_every_part_has_evidence():
    assert set(held()) == {*RUNS, TIMING}


@pytest.mark.parametrize(
    ("name", "change", "index"),
    [
        ("dense-wide", {"test": [0.98, 0.99]}, 0),
        ("dense", {"test": [0.95, 0.96]}, 1),
        ("local3", {"test": [0.97, 0.98]}, 2),
        ("dense, permuted pixels", {"test": [0.85, 0.86]}, 3),
        ("conv3, permuted pixels", {"test": [0.98, 0.99]}, 4),
        ("dense", {"steps": [90, 100]}, 5),
        (TIMING, {"step_seconds": {"dense": 0.001, "conv3": 0.01}}, 6),
        ("conv3, rate / 4", {"test": [0.8, 0.81]}, 7),
        ("conv3, tanh", {"test": [0.8, 0.81]}, 8),
    ],
)
def test_each_claim_can_fail(name, change, index):
    m = held()
    assert verdicts(m) == ["held"] * 9
    if index == 1:  # claim 3 is about the same accuracy
        m["dense, permuted pixels"] = run(0.95)
    if index == 5:  # seconds also depend on steps
        m[TIMING] = {"step_seconds": {"dense": 0.1, "conv3": 0.01}}
    m[name] = m[name] | change
    assert [i for i, word in enumerate(verdicts(m)) if word != "held"] == [index]
    assert verdicts(m)[index] == "failed"


@pytest.mark.parametrize(
    ("dense", "conv", "of_dense", "expected"),
    [
        ((None, None), (100, 110), 0.01, ["held", "held"]),  # at least all 500 steps
        ((None, None), (100, 110), 0.001, ["held", "not judged"]),
        ((300, 310), (100, None), 0.01, ["not judged", "not judged"]),
    ],
)
def test_an_accuracy_that_is_not_reached(dense, conv, of_dense, expected):
    m = held()
    m["dense"]["steps"], m["conv3"]["steps"] = list(dense), list(conv)
    m[TIMING] = {"step_seconds": {"dense": of_dense, "conv3": 0.01}}
    assert verdicts(m)[5:7] == expected
