"""Normalization and scaling: values worked out by hand, what is pooled, limits and kinks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn


def grad(f, x):
    return jax.grad(lambda x: f(x).sum())(x)


def plain(c, dtype=jnp.float64):
    return jnp.ones(c, dtype), jnp.zeros(c, dtype)


def test_what_each_normalization_pools(key):
    x = 3 + 2 * jax.random.normal(key, (2, 5, 4, 6)) + jnp.arange(24.0).reshape(1, 1, 4, 6)
    pairs = np.asarray(x).reshape(2, 5, 4, 3, 2)

    def standard(x, axes):
        x = np.asarray(x)
        mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
        return ((x - mean) / np.sqrt(var + 1e-5)).reshape(2, 5, 4, 6)

    for y, wanted in [
        (fcnn.layer_norm(x, *plain(6)), standard(x, 3)),
        (fcnn.instance_norm(x, *plain(6)), standard(x, (1, 2))),
        (fcnn.group_norm(x, *plain(6), groups=3), standard(pairs, (1, 2, 4))),
        (fcnn.group_norm(x, *plain(6), groups=1), standard(x, (1, 2, 3))),
    ]:
        np.testing.assert_allclose(y, wanted, rtol=1e-12, atol=1e-13)


def test_as_many_groups_as_channels_are_instances(key):
    x, (scale, bias) = jax.random.normal(key, (2, 5, 4, 6)), plain(6)
    np.testing.assert_allclose(
        fcnn.group_norm(x, 2 * scale, bias + 1, groups=6),
        fcnn.instance_norm(x, 2 * scale, bias + 1),
        rtol=1e-14,
    )


def test_rms_by_hand():
    """The root mean square of 3, 4, 5, sqrt(50 / 3)."""
    y = fcnn.rms_norm(jnp.array([3.0, 4.0, 5.0]), jnp.array([1.0, 2.0, 3.0]), eps=1e-15)
    np.testing.assert_allclose(y, np.array([3.0, 8.0, 15.0]) / np.sqrt(50 / 3), rtol=1e-14)


def test_masked_statistics_are_those_of_what_is_left(key):
    x, mask = jax.random.normal(key, (7, 4, 3)), jax.random.bernoulli(key, 0.5, (7, 4))
    (scale, bias), train = plain(3), {"train": True, "momentum": 0.0}
    y, mean, var = fcnn.batch_norm(x, scale, bias, bias, scale, mask, **train)
    rows = np.asarray(x)[np.asarray(mask)]
    np.testing.assert_allclose(mean, rows.mean(0), rtol=1e-13)
    np.testing.assert_allclose(var, rows.var(0), rtol=1e-13)
    np.testing.assert_allclose(
        y, (np.asarray(x) - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-5), rtol=1e-12
    )
    of_examples = fcnn.batch_norm(x, scale, bias, bias, scale, mask[:, 0], **train)
    of_places = jnp.broadcast_to(mask[:, :1], (7, 4))
    for a, b in zip(
        of_examples, fcnn.batch_norm(x, scale, bias, bias, scale, of_places, **train), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-14)


def test_where_nothing_counts_the_running_values_stay():
    x, mean, var = jnp.array([[2.0], [4.0]]), jnp.array([5.0]), jnp.array([6.0])
    nothing = jnp.zeros(2, bool)
    y, *running = fcnn.batch_norm(x, *plain(1), mean, var, nothing, train=True, eps=4.0)
    np.testing.assert_array_equal(y, x / 2)
    assert running == [mean, var]


def test_an_overflowing_variance_gives_zeros(key):
    """In float32, where its root would not overflow; every gradient is finite, both ways."""
    x = 1e20 * jax.random.normal(key, (2, 4, 3), jnp.float32)
    scale, bias = plain(3, jnp.float32)
    train = lambda x: fcnn.batch_norm(x, scale, bias, bias, scale, train=True)
    norms = (
        lambda x: fcnn.layer_norm(x, scale, bias),
        lambda x: fcnn.instance_norm(x, scale, bias),
        lambda x: fcnn.group_norm(x, scale, bias, groups=3),
        lambda x: fcnn.rms_norm(x, scale),
        lambda x: train(x)[0],
    )
    for mode in ("hand", "autodiff"):
        with fcnn.gradients(mode):
            found = jax.jit(lambda x: [(f(x), grad(f, x)) for f in norms])(x)
            assert not any(a.any() for a in jax.tree.leaves(found))
            of_the_variance = grad(lambda x: train(x)[2], x)
            assert jnp.isfinite(of_the_variance).all()
            assert (of_the_variance != 0).any()


def test_min_max_by_hand():
    x = jnp.array([[1.0, 3.0, 5.0], [2.0, 2.5, 4.0]])
    np.testing.assert_allclose(fcnn.min_max_scale(x), [[0, 0.5, 1], [0, 0.25, 1]])
    np.testing.assert_allclose(
        fcnn.min_max_scale(x, to=(-1.0, 1.0)), [[-1, 0, 1], [-1, -0.5, 1]], atol=1e-15
    )
    np.testing.assert_allclose(fcnn.min_max_scale(x, axis=0), [[0, 1, 1], [1, 0, 0]])


def test_min_max_gradient_by_hand():
    """y = (x - lo) / (hi - lo): the middle one moves by 1/4, by -1/8 each through lo and hi."""
    x = jnp.array([[1.0, 3.0, 5.0]])
    slope = grad(lambda x: fcnn.min_max_scale(x)[:, 1], x)
    np.testing.assert_allclose(slope, [[-1 / 8, 1 / 4, -1 / 8]])


def test_min_max_reaches_both_ends(key):
    y = fcnn.min_max_scale(jax.random.normal(key, (50, 9)), to=(0.1, 0.7))
    np.testing.assert_array_equal(y.min(1), 0.1)
    np.testing.assert_allclose(y.max(1), 0.7, rtol=1e-15)


@pytest.mark.parametrize("mode", ["hand", "autodiff"])
def test_min_max_ties_go_to_the_first(mode):
    """With two lowest and two highest entries, the last two do not move the others."""
    with fcnn.gradients(mode):
        of_the_middle = grad(
            lambda x: fcnn.min_max_scale(x)[:, 2], jnp.array([[0.0, 2.0, 1.0, 0.0, 2.0]])
        )
        np.testing.assert_allclose(of_the_middle, [[-1 / 4, -1 / 4, 1 / 2, 0, 0]])


@pytest.mark.parametrize("mode", ["hand", "autodiff"])
def test_min_max_of_a_constant_is_the_lower_bound(mode):
    x = jnp.tile(jnp.array([[7.0], [0.0], [-1e300]]), (1, 3))
    with fcnn.gradients(mode):
        np.testing.assert_array_equal(fcnn.min_max_scale(x, to=(-1.0, 1.0)), -1)
        np.testing.assert_array_equal(grad(lambda x: jnp.square(fcnn.min_max_scale(x)), x), 0)


def test_min_max_does_not_overflow_and_shows_nan():
    x = jnp.array([[-1.7e308, 0.0, 1.7e308]])
    np.testing.assert_allclose(fcnn.min_max_scale(x), [[0, 0.5, 1]])
    assert jnp.isfinite(grad(fcnn.min_max_scale, x)).all()
    assert jnp.isnan(fcnn.min_max_scale(x.at[0, 1].set(jnp.nan))).all()
