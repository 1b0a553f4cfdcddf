"""Dropouts: entries that share a mask, dropping rates, and scales."""

from functools import partial

import jax
import numpy as np
import pytest

import fcnn

RATE = 0.3
ONES = np.ones((200, 3, 2, 50))


@pytest.mark.parametrize(
    ("op", "shared_axes"),
    [(fcnn.dropout, ()), (fcnn.spatial_dropout, (1, 2)), (fcnn.stochastic_depth, (1, 2, 3))],
    ids=lambda a: getattr(a, "name", ""),
)
def test_shared_masks_and_dropping_rates(op, shared_axes, key):
    y = np.asarray(jax.jit(partial(op, rate=RATE))(ONES, key))
    dropped = (y == 0).mean(shared_axes) if shared_axes else (y == 0).astype(float)
    assert set(np.unique(dropped)) == {0.0, 1.0}
    np.testing.assert_allclose(y[y > 0], 1 / (1 - RATE), rtol=1e-15)
    error = np.sqrt(RATE * (1 - RATE) / dropped.size)
    assert abs(dropped.mean() - RATE) < 4 * error


def test_classic_dropout_scales_in_evaluation(key):
    x = np.random.default_rng(0).standard_normal((300, 300))
    y = np.asarray(jax.jit(partial(fcnn.classic_dropout, rate=RATE, train=True))(x, key))
    kept = y != 0
    np.testing.assert_array_equal(y[kept], x[kept])
    assert abs(kept.mean() - (1 - RATE)) < 0.01
    evaluation = jax.jit(partial(fcnn.classic_dropout, rate=RATE, train=False))(x)
    np.testing.assert_allclose(evaluation, 0.7 * x, rtol=1e-15)


def test_classic_dropout_in_training_is_inverted_dropout_times_1_minus_rate(key):
    x = np.random.default_rng(0).standard_normal((40, 5))
    classic = partial(fcnn.classic_dropout, rate=RATE, train=True)
    inverted = lambda x, key: (1 - RATE) * fcnn.dropout(x, key, rate=RATE)
    both = jax.jit(lambda *args: (classic(*args), inverted(*args)))(x, key)
    np.testing.assert_allclose(*both, rtol=1e-15)


@pytest.mark.parametrize(
    ("op", "draws"), [(fcnn.spatial_dropout, 200 * 50), (fcnn.stochastic_depth, 200)]
)
def test_one_byte_is_saved_per_random_number(op, draws):
    _, keep = jax.eval_shape(partial(op.fwd_rule, rate=RATE), ONES, jax.random.key(0))
    assert (keep.dtype, keep.size) == (bool, draws)
