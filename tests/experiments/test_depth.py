"""Depth counts dense layers, shapes have equal parameters, and depths are chosen on validation."""

import jax
import numpy as np
import pytest

from experiments.depth import EXPERIMENT
from experiments.depth.evidence import NEEDED, best_depth
from experiments.depth.measure import DEEP, MIDDLE, NARROW, WIDE, by_depth, by_width
from experiments.depth.networks import KINDS, deep, shapes
from experiments.framework.verdict import judge
from fcnn import summary
from fcnn.models import mlp

SHAPE = (8, 8, 1)


@pytest.mark.usefixtures("jax_defaults")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [1, 2, 4, 152])
def test_depth_is_the_number_of_dense_layers(kind, depth):
    params, _ = jax.eval_shape(
        lambda key: deep(kind, depth, 10).init(key, SHAPE), jax.random.key(0)
    )
    kernels = [a for a in jax.tree.leaves(params) if a.shape[-2:] in ((64, 32), (32, 32))]
    heads = [a for a in jax.tree.leaves(params) if a.shape in ((32, 10), (64, 10))]
    assert len(heads) + sum(a.shape[0] if a.ndim == 3 else 1 for a in kernels) == depth


@pytest.mark.usefixtures("jax_defaults")
def test_only_the_residual_network_passes_its_input_on():
    """Without the weights of the blocks, a plain network gives the same logits for all images."""
    x = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype(np.float32)
    for kind in KINDS:
        model = deep(kind, 6, 10)
        params, state = model.init(jax.random.key(0), SHAPE)
        params["repeat1"] = jax.tree.map(np.zeros_like, params["repeat1"])
        one, two = np.asarray(model.apply(params, state, x)[0])
        assert np.array_equal(one, two) == (kind == "plain")


def test_shapes_have_equal_parameters():
    units = shapes(SHAPE, 10)
    count = {name: summary(mlp(each, 10), SHAPE).parameters for name, each in units.items()}
    assert all(abs(n / count["funnel"] - 1) < 0.01 for n in count.values()), count
    assert len(set(units["constant"])) == 1
    assert sorted(units["growing"]) == list(units["growing"])
    assert units["growing"][-1] >= 7 * units["growing"][0]


def result(test, train=0.99, validation=0.9):
    by_rate = {"0.002": [validation] * 2, "0.008": [0.1] * 2, "0.1": []}
    return {"train": [train] * 2, "rate": 2e-3, "validation": by_rate, "test": [test] * 2}


def held():
    """Measurements with which every claim holds."""
    m = {name: result(0.9) for name in NEEDED}
    m[by_depth("plain", DEEP)] = result(0.5, train=0.6, validation=0.5)
    m[by_depth("plain", 4)] = result(0.92, validation=0.95)
    m[by_depth("residual", 2)] = result(0.89)
    m[by_width(NARROW)] = result(0.6)
    m[by_width(MIDDLE)] = result(0.95)
    return m | {"funnel": result(0.96)}


def test_the_depth_is_chosen_on_validation():
    m = held()
    assert best_depth(m, "plain") == 4
    m[by_depth("plain", 16)] = result(0.99, validation=0.94)
    assert best_depth(m, "plain") == 4


PLAIN, RESIDUAL = (by_depth(kind, DEEP) for kind in KINDS)


@pytest.mark.parametrize(
    ("changes", "indices"),
    [
        ({}, []),
        ({PLAIN: result(0.5, train=0.98, validation=0.5)}, [0]),
        ({RESIDUAL: result(0.9, train=0.96)}, [1]),
        ({RESIDUAL: result(0.51)}, [2]),
        ({by_depth("plain", 4): result(0.505, validation=0.95)}, [3]),
        ({PLAIN: result(0.8, train=0.6, validation=0.96)}, [3]),  # the deepest is chosen
        ({by_width(NARROW): result(0.87)}, [4]),
        ({by_width(WIDE): result(0.96)}, [5]),
        ({"constant": result(0.97)}, [6]),
        ({"growing": result(0.97)}, [7]),
        ({by_depth("residual", 2): result(0.91)}, [8]),
    ],
)
def test_each_claim_can_fail(changes, indices):
    verdicts = judge(EXPERIMENT.claims, EXPERIMENT.evidence(held() | changes))
    assert [i for i, v in enumerate(verdicts) if v.verdict != "held"] == indices
    assert all(verdicts[i].verdict == "failed" for i in indices)
