"""Statements about Lp pooling are counted in windows where they are known to be true or false."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.framework.verdict import judge
from experiments.pooling import EXPERIMENT
from experiments.pooling.measure import NETWORKS, NORMS, TIMES, network
from experiments.pooling.norms import P, curve, statements


@pytest.mark.usefixtures("jax_defaults")
def test_statements_are_counted_by_window():
    x = np.array([[1, 1, -3, 3], [1, 1, 3, 3]], np.float32)[None, :, :, None]
    found = statements(x, 2)
    assert found["ends"] == found["limit"] == found["sum is max"] == found["sum is sum"] == (2, 2)
    assert found["rises"] == (2 * (len(P) - 1), 2 * (len(P) - 1))
    assert found["sum is mean"] == (0, 2)
    assert found["mean of x"] == (1, 2)  # wrong in the window with a negative x


@pytest.mark.usefixtures("jax_defaults")
def test_the_curve_runs_from_mean_and_sum_to_the_maximum():
    found = curve()  # of the window 1, 3, 0, 2
    assert (found["mean form"][0], found["sum form"][0]) == pytest.approx((1.5, 6))
    assert found["sum form"][-1] == pytest.approx(3)
    assert found["mean form"][-1] == pytest.approx(3 * 4 ** (-1 / 100))


@pytest.mark.parametrize("name", NETWORKS)
def test_each_network_is_built(name):
    shape = (12, 11, 1)
    net = network(name, 10, 2)

    def outputs(key):
        params, state = net.init(key, shape)
        return net.apply(params, state, jnp.zeros((2, *shape)))[0]

    assert jax.eval_shape(outputs, jax.random.key(0)).shape == (2, 10)


def accuracies(train, test, shifted):
    return {"train": [train] * 2, "test": [test] * 2, "shifted": [shifted] * 2}


GOOD = {
    NORMS: {"ends": (9, 9), "rises": (9, 9), "limit": (9, 9)},
    "max": accuracies(0.99, 0.97, 0.9),
    "mean": accuracies(0.99, 0.96, 0.9),
    "L2": accuracies(0.5, 0.5, 0.5),
    "L4": accuracies(0.5, 0.5, 0.5),
    "stride": accuracies(0.99, 0.95, 0.8),
    TIMES: {name: [1.0, 1.0] if name == "stride" else [3.0, 3.0] for name in NETWORKS},
}


@pytest.mark.parametrize(
    ("part", "change", "index"),
    [
        ("max", {}, None),
        (NORMS, {"ends": (8, 9)}, 0),
        (NORMS, {"rises": (8, 9)}, 1),
        (NORMS, {"limit": (8, 9)}, 2),
        ("max", {"shifted": [0.8, 0.8]}, 3),
        ("mean", {"shifted": [0.8, 0.8]}, 4),
        ("mean", {"test": [0.98, 0.98]}, 5),
        ("stride", {"train": [1.0, 1.0], "test": [0.975, 0.975]}, 6),
        ("stride", {"train": [0.96, 0.96]}, 7),
        (TIMES, {"stride": [2.0, 2.0]}, 8),
    ],
)
def test_each_claim_can_fail(part, change, index):
    measured = GOOD | {part: GOOD[part] | change}
    verdicts = judge(EXPERIMENT.claims, EXPERIMENT.evidence(measured))
    expected = ["failed" if i == index else "held" for i in range(len(EXPERIMENT.claims))]
    assert [v.verdict for v in verdicts] == expected
