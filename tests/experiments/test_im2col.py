"""The convolutions in NumPy of the experiment im2col: known answers, and evidence."""

import jax.numpy as jnp
import numpy as np
import pytest

import fcnn
from experiments.framework.verdict import judge
from experiments.im2col import EXPERIMENT
from experiments.im2col.convolution import by_im2col, columns, loops
from experiments.im2col.measure import IM2COL, LOOPS, Size, of_size
from fcnn.ops.contexts import IMPLS


def test_loops_have_the_known_answer():
    x = np.arange(1.0, 10).reshape(1, 3, 3, 1)
    w = np.zeros((3, 3, 1, 2))
    w[..., 0, 0] = 1  # the sum of the window
    w[0, 1, 0, 1] = 1  # the cell above
    y = loops(x, w)
    np.testing.assert_array_equal(y[0, :, :, 0], [[12, 21, 16], [27, 45, 33], [24, 39, 28]])
    np.testing.assert_array_equal(y[0, :, :, 1], [[0, 0, 0], [1, 2, 3], [4, 5, 6]])


def test_columns_and_products_equal_loops_and_fcnn():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 5, 5, 3)), rng.standard_normal((3, 3, 3, 4))
    np.testing.assert_allclose(by_im2col(x, w), loops(x, w), atol=1e-12)
    rows = np.asarray(fcnn.im2col(jnp.asarray(x), 3, padding="same")).reshape(-1, 27)
    np.testing.assert_array_equal(columns(x), rows)


def test_multiply_adds_of_a_size():
    assert Size(2, 8, 3, 5).multiply_adds == 2 * 64 * 9 * 3 * 5


def test_only_compiled_programs_are_measured_at_a_looped_size(monkeypatch):
    monkeypatch.setitem(IMPLS, "conv", ("lax",))
    plain, looped = (of_size(Size(1, 4, 1, 1, looped), rounds=1) for looped in (False, True))
    assert plain["seconds"].keys() == {LOOPS, IM2COL, "lax"}
    assert looped["seconds"].keys() == looped["errors"].keys() == {"lax"}
    assert (plain["columns"], looped["columns"]) == ({"NumPy": 576, "JAX": 576}, {})


@pytest.mark.parametrize(
    ("change", "index"),
    [
        ({"errors": {"im2col": 2e-5}}, 0),
        ({"seconds": {LOOPS: [3.0, 4.0], IM2COL: [1.0, 1.0], "im2col": [0.1, 0.2]}}, 1),
        ({"seconds": {LOOPS: [3.0, 4.0], IM2COL: [0.1, 0.2], "im2col": [1.0, 1.0]}}, 2),
        ({"columns": {"NumPy": 90, "JAX": 91}}, 3),
        ({"memory": {"im2col": 50, "tiled": 50}}, 4),
    ],
)
def test_each_claim_can_fail(change, index):
    good = {
        "looped": False,
        "errors": {"im2col": 1e-6},
        "seconds": {LOOPS: [3.0, 4.0], IM2COL: [0.1, 0.2], "im2col": [0.1, 0.2]},
        "columns": {"NumPy": 90, "JAX": 90},
        "memory": {"im2col": 50, "tiled": 20},
        "input": 10,
    }
    looped = good | {"looped": True, "seconds": {"im2col": [9.0]}, "columns": {}}

    def verdicts(r):
        found = EXPERIMENT.evidence({"a": r, "b": r, "b looped": looped})
        return [v.verdict for v in judge(EXPERIMENT.claims, found)]

    assert verdicts(good) == ["held"] * 5
    assert [i for i, word in enumerate(verdicts(good | change)) if word == "failed"] == [index]
