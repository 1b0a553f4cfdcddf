"""Digits lie in their boxes, and hits of maps are counted by the centre of a cell."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.framework.verdict import judge
from experiments.gap import EXPERIMENT
from experiments.gap.canvas import class_maps, hits, placed
from experiments.gap.networks import HEADS, network
from fcnn.data import Images


def test_a_placed_digit_fills_its_box_and_nothing_else():
    images = Images(np.ones((20, 3, 3, 1), np.float32), np.arange(20, dtype=np.int32))
    found = placed(images, 7, seed=0)
    assert (found.x.sum((1, 2, 3)) == 9).all()
    for canvas, (top, left) in zip(found.x, found.corners, strict=True):
        assert (canvas[top : top + 3, left : left + 3] == 1).all()
    assert {found.corners.min(), found.corners.max()} == {0, 4}


def test_a_map_is_the_weighted_sum_of_features():
    features = np.zeros((1, 2, 2, 2))
    features[0, 0, 1] = (1, 10)
    w = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert class_maps(features, w, np.array([2])).tolist() == [[[0, 63], [0, 0]]]


def test_a_hit_has_the_centre_of_its_cell_in_the_box():
    maps = np.zeros((3, 4, 6))
    maps[:, 1, 4] = 1  # centre at row 3, column 9, for cells of 2 pixels
    corners = np.array([[1, 7], [4, 7], [3, 9]])
    assert hits(maps, corners, stride=2, side=3).tolist() == [True, False, True]


@pytest.mark.parametrize("name", HEADS)
def test_each_network_is_built(name):
    shape = (20, 20, 1)
    net = network(name, 8, 10, 2)

    def outputs(key):
        params, state = net.init(key, shape)
        return net.apply(params, state, jnp.zeros((2, *shape)))[0]

    assert jax.eval_shape(outputs, jax.random.key(0)).shape == (2, 10)


GOOD = {
    "gap": {
        "sizes": {"2.5": 20, "4": 32},
        "parameters": {"2.5": 90, "4": 90},
        "accepts": {"2.5": True, "4": True},
        "train": [0.97, 0.97],
        "test": [0.95, 0.95],
        "hits": {"2.5": [0.9, 0.9], "4": [0.8, 0.8]},
        "cover": {"2.5": 0.16, "4": 0.06},
    },
    "dense": {
        "parameters": {"2.5": 200, "4": 300},
        "accepts": {"2.5": True, "4": False},
        "train": [1.0, 1.0],
        "test": [0.955, 0.955],
    },
}


@pytest.mark.parametrize(
    ("head", "change", "index"),
    [
        ("gap", {}, None),
        ("gap", {"parameters": {"2.5": 90, "4": 91}}, 0),
        ("dense", {"parameters": {"2.5": 200, "4": 200}}, 0),
        ("gap", {"accepts": {"2.5": True, "4": False}}, 1),
        ("dense", {"accepts": {"2.5": True, "4": True}}, 1),
        ("dense", {"test": [0.965, 0.965]}, 2),
        ("gap", {"train": [1.0, 1.0]}, 3),
        ("gap", {"hits": {"2.5": [0.6, 0.6], "4": [0.8, 0.8]}}, 4),
        ("gap", {"hits": {"2.5": [0.9, 0.9], "4": [0.5, 0.5]}}, 5),
    ],
)
def test_each_claim_can_fail(head, change, index):
    verdicts = judge(EXPERIMENT.claims, EXPERIMENT.evidence(GOOD | {head: GOOD[head] | change}))
    expected = ["failed" if i == index else "held" for i in range(len(EXPERIMENT.claims))]
    assert [v.verdict for v in verdicts] == expected
