"""Layers for sequences of tokens: embedding, positional encoding, multi-head attention."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn
from fcnn import layers

SENTENCE = (5,)
MODEL = layers.serial(
    layers.embedding(7, 4),
    layers.positional_encoding(),
    layers.residual(layers.multi_head_attention(2, causal=True)),
    layers.multi_head_attention(4, features=8, groups=2, bias=False),
)


def test_shapes_equal_the_shapes_of_init_and_apply(key):
    params, state = jax.eval_shape(lambda key: MODEL.init(key, SENTENCE), key)
    expected_params, _, out = layers.shapes(MODEL, SENTENCE)
    y, _ = jax.eval_shape(MODEL.apply, params, state, jnp.ones((2, 5), int))
    assert y.shape == (2, *out.shape) == (2, 5, 8)
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, expected_params)


def test_gradients_reach_every_parameter(key):
    """Only the gradient of bk is 0, because bk adds the same number to all scores of a query."""

    @jax.jit
    def run(key, ids):
        params, state = MODEL.init(key, SENTENCE)
        return jax.grad(lambda params: jnp.sin(MODEL.apply(params, state, ids)[0]).sum())(params)

    grads = run(key, np.array([[0, 1, 2, 3, 4], [5, 6, 6, 6, 6]]))
    bk = grads["residual1"]["body"].pop("bk")
    np.testing.assert_allclose(bk, 0, atol=1e-14)
    for g in jax.tree.leaves(grads):
        assert (np.asarray(g) != 0).any()


def test_a_causal_output_does_not_depend_on_later_tokens(key):
    model = layers.serial(layers.embedding(7, 4), layers.multi_head_attention(2, causal=True))

    @jax.jit
    def run(key, ids):
        return model.apply(*model.init(key, SENTENCE), ids)[0]

    first, second = (run(key, np.array([[0, 1, 2, last]])) for last in (3, 4))
    np.testing.assert_array_equal(first[:, :3], second[:, :3])
    assert (first[:, 3] != second[:, 3]).all()


def test_summary_counts_match_a_count_by_hand():
    table = fcnn.summary(layers.multi_head_attention(2, features=6, groups=1), (5, 4))
    assert table.parameters == (4 * 6 + 6) + 2 * (4 * 3 + 3) + (6 * 6 + 6)
    products = 5 * 4 * 6 + 2 * 5 * 4 * 3 + 2 * (2 * 5 * 5 * 3) + 5 * 6 * 6
    assert table.multiply_adds == products


def test_heads_and_groups_must_divide_features_and_heads():
    with pytest.raises(ValueError, match="heads 3 does not divide 4 features"):
        layers.shapes(layers.multi_head_attention(3), (5, 4))
    with pytest.raises(ValueError, match="groups 2 does not divide 3 heads"):
        layers.multi_head_attention(3, groups=2)
