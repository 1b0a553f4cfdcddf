"""Recurrent layers equal their operators. Outputs of both directions are concatenated."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn
from fcnn import layers


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_two_bidirectional_layers_equal_their_operators(kind, key):
    """Both layers have 8 input features, so JAX compiles one program for both."""
    layer, op = (getattr(module, kind) for module in (layers, fcnn))
    x = np.random.default_rng(0).standard_normal((2, 5, 8))
    options = {"layers": 2, "bidirectional": True}
    params, state = layer(4, **options).init(key, (5, 8))
    assert list(params) == ["forward1", "backward1", "forward2", "backward2"]
    run = lambda **sequence: layer(4, **options, **sequence).apply(params, state, x)[0]
    y1, _, *_ = op(x, **params["forward1"])
    z1, _, *_ = op(x, **params["backward1"], reverse=True)
    inner = jnp.concatenate([y1, z1], axis=-1)
    y2, h, *_ = op(inner, **params["forward2"])
    z2, k, *_ = op(inner, **params["backward2"], reverse=True)
    np.testing.assert_allclose(run(), np.concatenate([y2, z2], axis=-1), atol=1e-12)
    np.testing.assert_allclose(run(sequence=False), np.concatenate([h, k], axis=-1), atol=1e-12)


def test_every_gate_has_the_fans_of_a_dense_layer(key):
    params, _ = jax.jit(lambda key: layers.lstm(100).init(key, (7, 60)))(key)
    for gate in np.split(np.asarray(params["forward1"]["w"]), 4, axis=1):
        assert abs(gate.var() / (2 / 160) - 1) < 0.1


def test_the_forget_bias_starts_at_1(key):
    params, _ = layers.lstm(2).init(key, (7, 3))
    np.testing.assert_array_equal(params["forward1"]["b"], [0, 0, 1, 1, 0, 0, 0, 0])


def test_bu_exists_only_with_reset_after(key):
    names = lambda reset: list(layers.gru(2, reset=reset).init(key, (7, 3))[0]["forward1"])
    assert names("after") == ["w", "u", "b", "bu"]
    assert names("before") == ["w", "u", "b"]


def test_summary_counts_every_layer_and_direction():
    table = fcnn.summary(layers.lstm(4, layers=2, bidirectional=True), (5, 3))
    assert [row.path for row in table.rows] == ["forward1", "backward1", "forward2", "backward2"]
    assert [row.multiply_adds for row in table.rows] == [4 * 5 * (3 + 4) * 4] * 2 + [
        4 * 5 * (8 + 4) * 4
    ] * 2
    assert table.rows[2].parameters == 16 * (8 + 4 + 1)


def test_bad_shapes_and_counts_are_rejected():
    with pytest.raises(ValueError, match=r"gru: input \(5,\) must have 2 axes"):
        fcnn.summary(layers.gru(4), (5,))
    with pytest.raises(ValueError, match="rnn: layers 0 must be"):
        layers.rnn(4, layers=0)
