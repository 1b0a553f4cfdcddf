"""Recurrent layers equal their operators. Outputs of both directions are concatenated."""

import inspect

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
    x, lengths = np.random.default_rng(0).standard_normal((3, 5, 8)), np.array([5, 3, 0])
    model = lambda sequence: layers.serial(
        layers.bidirectional(layer(4)), layers.bidirectional(layer(4, sequence=sequence))
    )
    params, state = model(True).init(key, (5, 8))
    one, two = params["bidirectional1"], params["bidirectional2"]
    assert list(one) == ["forward", "backward"]
    run = lambda sequence: model(sequence).apply(params, state, x, lengths=lengths)[0]
    y1, *_ = op(x, **one["forward"], lengths=lengths)
    z1, *_ = op(x, **one["backward"], lengths=lengths, reverse=True)
    inner = jnp.concatenate([y1, z1], axis=-1)
    y2, h, *_ = op(inner, **two["forward"], lengths=lengths)
    z2, k, *_ = op(inner, **two["backward"], lengths=lengths, reverse=True)
    np.testing.assert_allclose(run(True), np.concatenate([y2, z2], axis=-1), atol=1e-12)
    np.testing.assert_allclose(run(False), np.concatenate([h, k], axis=-1), atol=1e-12)


def test_every_gate_has_the_fans_of_a_dense_layer(key):
    params, _ = jax.jit(lambda key: layers.lstm(100).init(key, (7, 60)))(key)
    for gate in np.split(np.asarray(params["w"]), 4, axis=1):
        assert abs(gate.var() / (2 / 160) - 1) < 0.1


def test_the_forget_bias_starts_at_1(key):
    params, _ = layers.lstm(2).init(key, (7, 3))
    np.testing.assert_array_equal(params["b"], [0, 0, 1, 1, 0, 0, 0, 0])


def test_bu_exists_only_with_reset_after(key):
    names = lambda reset: list(layers.gru(2, reset=reset).init(key, (7, 3))[0])
    assert names("after") == ["w", "u", "b", "bu"]
    assert names("before") == ["w", "u", "b"]


def test_summary_counts_every_layer_and_direction():
    both = layers.bidirectional
    table = fcnn.summary(layers.serial(both(layers.lstm(4)), both(layers.lstm(4))), (5, 3))
    assert [row.path for row in table.rows] == [
        f"bidirectional{i}/{way}" for i in (1, 2) for way in ("forward", "backward")
    ]
    assert [row.multiply_adds for row in table.rows] == [4 * 5 * (3 + 4) * 4] * 2 + [
        4 * 5 * (8 + 4) * 4
    ] * 2
    assert table.rows[2].parameters == 16 * (8 + 4 + 1)


def test_bad_shapes_and_options_are_rejected():
    with pytest.raises(ValueError, match=r"gru: input \(5,\) must have 2 axes"):
        fcnn.summary(layers.gru(4), (5,))
    with pytest.raises(TypeError, match="rnn: sequence 1 must be True or False"):
        inspect.unwrap(layers.rnn)(4, sequence=1)
