"""Recurrent layers are their operators, put together: directions side by side, layers in turn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn
from fcnn import layers


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_two_layers_of_two_directions(kind, key):
    """Of 8 features, as the second layer sees, so that both layers run the same programs."""
    layer, op = (getattr(place, kind) for place in (layers, fcnn))
    x = np.random.default_rng(0).standard_normal((2, 5, 8))
    params, state = layer(4, layers=2, bidirectional=True).init(key, (5, 8))
    assert list(params) == ["forward1", "backward1", "forward2", "backward2"]
    run = lambda **how: layer(4, layers=2, bidirectional=True, **how).apply(params, state, x)[0]
    y1, _, *_ = op(x, **params["forward1"])
    z1, _, *_ = op(x, **params["backward1"], reverse=True)
    inner = jnp.concatenate([y1, z1], axis=-1)
    y2, h, *_ = op(inner, **params["forward2"])
    z2, k, *_ = op(inner, **params["backward2"], reverse=True)
    np.testing.assert_allclose(run(), np.concatenate([y2, z2], axis=-1), atol=1e-12)
    np.testing.assert_allclose(run(sequence=False), np.concatenate([h, k], axis=-1), atol=1e-12)


def test_every_gate_has_a_fan_of_its_own(key):
    params, _ = jax.jit(lambda key: layers.lstm(100).init(key, (7, 60)))(key)
    for gate in np.split(np.asarray(params["forward1"]["w"]), 4, axis=1):
        assert abs(gate.var() / (2 / 160) - 1) < 0.1


def test_the_cell_starts_out_keeping(key):
    params, _ = layers.lstm(2).init(key, (7, 3))
    np.testing.assert_array_equal(params["forward1"]["b"], [0, 0, 1, 1, 0, 0, 0, 0])


def test_bu_is_there_where_it_has_a_place(key):
    names = lambda reset: list(layers.gru(2, reset=reset).init(key, (7, 3))[0]["forward1"])
    assert names("after") == ["w", "u", "b", "bu"]
    assert names("before") == ["w", "u", "b"]


def test_summary_counts_every_pass():
    table = fcnn.summary(layers.lstm(4, layers=2, bidirectional=True), (5, 3))
    assert [row.path for row in table.rows] == ["forward1", "backward1", "forward2", "backward2"]
    assert [row.multiply_adds for row in table.rows] == [4 * 5 * (3 + 4) * 4] * 2 + [
        4 * 5 * (8 + 4) * 4
    ] * 2
    assert table.rows[2].parameters == 16 * (8 + 4 + 1)


def test_refusals():
    with pytest.raises(ValueError, match=r"gru: an input \(5,\) needs 2 axes"):
        fcnn.summary(layers.gru(4), (5,))
    with pytest.raises(ValueError, match="rnn: layers 0 must be"):
        layers.rnn(4, layers=0)
