"""The measure of equivariance finds a violation, and features are compared by their angle."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn
from experiments.framework.verdict import judge
from experiments.shift import EXPERIMENT
from experiments.shift.equivariance import SHIFTS, errors
from experiments.shift.measure import NETWORKS, cosine_distance, network


@pytest.mark.usefixtures("jax_defaults")
def test_a_position_dependent_function_is_not_equivariant():
    assert errors(fcnn.conv, 3, "float32") == [0.0] * len(SHIFTS)
    ramp = np.arange(18, dtype=np.float32)[:, None, None]
    found = errors(lambda x, w: fcnn.conv(x, w) + ramp, 3, "float32")
    assert [e > 0 for e in found] == [down > 0 for down, _ in SHIFTS]


def test_the_cosine_distance_is_0_for_one_direction_and_1_for_orthogonal_features():
    a = np.array([[[1.0, 0.0], [2.0, 0.0]]])
    b = np.array([[[3.0, 0.0], [0.0, 5.0]]])
    assert cosine_distance(a, b).tolist() == [0.5]
    assert cosine_distance(a, 7 * a).tolist() == [0.0]
    assert cosine_distance(0 * a, 0 * a).tolist() == [0.0]
    assert cosine_distance(0 * a, a).tolist() == [1.0]


@pytest.mark.parametrize("name", NETWORKS)
def test_each_network_is_built(name):
    shape = (12, 11, 1)
    net = network(name, shape, 10, 4)
    largest = fcnn.summary(network("max pool", shape, 10, 4), shape).parameters
    assert name != "dense" or abs(fcnn.summary(net, shape).parameters - largest) < 0.05 * largest
    assert jax.eval_shape(lambda key: applied(net, shape, key), jax.random.key(0)).shape == (2, 10)


def applied(net, shape, key):
    params, state = net.init(key, shape)
    return net.apply(params, state, jnp.zeros((2, *shape)))[0]


def counts(impl, equal=14, rounded=15):
    return {"rows": [{"impl": impl, "cases": 15, "equal": equal, "rounded": rounded}]}


GOOD = {
    "float32": counts("taps", equal=15),
    "float64": counts("winograd"),
    "dense": {"change": [0.4, 0.4], "unchanged": [0.8, 0.8]},
    "convolution": {"change": [0.2, 0.2], "unchanged": [0.9, 0.9]},
    "stride": {"change": [0.1, 0.1], "unchanged": [0.95, 0.95]},
    "max pool": {"change": [0.1, 0.1], "unchanged": [0.96, 0.96]},
}


@pytest.mark.parametrize(
    ("change", "index"),
    [
        ({}, None),
        ({"float32": counts("taps")}, 0),
        ({"float64": counts("fft", rounded=14)}, 1),
        ({"max pool": {"change": [0.25, 0.25]}, "convolution": {"change": [0.3, 0.3]}}, 2),
        ({"stride": {"change": [0.25, 0.25]}}, 3),
        ({"convolution": {"change": [0.05, 0.05]}}, 4),
        ({"max pool": {"unchanged": [0.94, 0.94]}}, 5),
        ({"dense": {"unchanged": [0.89, 0.89]}, "stride": {"unchanged": [1.0, 1.0]}}, 6),
        ({"stride": {"unchanged": [0.85, 0.85]}}, 7),
    ],
)
def test_each_claim_can_fail(change, index):
    measured = {name: part | change.get(name, {}) for name, part in GOOD.items()}
    verdicts = judge(EXPERIMENT.claims, EXPERIMENT.evidence(measured))
    expected = ["failed" if i == index else "held" for i in range(len(EXPERIMENT.claims))]
    assert [v.verdict for v in verdicts] == expected
