"""Losses: values worked out by hand, masked classes, labels that are none, and kinks."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn

both = pytest.mark.parametrize("mode", ["hand", "autodiff"])
INF = jnp.inf


def grad(f, x):
    return jax.grad(lambda x: f(x).sum())(x)


def test_distances_by_hand():
    y, t = jnp.array([[3.0, 0.0, -0.5]]), jnp.zeros((1, 3))
    np.testing.assert_allclose(fcnn.mean_squared_error(y, t), [9.25 / 3])
    np.testing.assert_allclose(fcnn.absolute_error(y, t), [3.5])
    np.testing.assert_allclose(fcnn.huber(y, t), [2.5 + 0.125])
    np.testing.assert_allclose(fcnn.huber(y, t, delta=2.0), [2 * (3 - 1) + 0.125])
    np.testing.assert_allclose(grad(lambda y: fcnn.huber(y, t), y), [[1, 0, -0.5]])
    np.testing.assert_allclose(grad(lambda y: fcnn.mean_squared_error(y, t), y), 2 * y / 3)


@both
def test_absolute_error_is_flat_where_met(mode):
    with fcnn.gradients(mode):
        g = grad(lambda y: fcnn.absolute_error(y, jnp.ones(3)), jnp.array([0.0, 1.0, 2.0]))
    np.testing.assert_array_equal(g, [-1, 0, 1])


def test_the_gradient_of_the_penalty_is_rate_times_w(key):
    w = jax.random.normal(key, (3, 2))
    value, g = jax.value_and_grad(lambda w: fcnn.l2_penalty(w, rate=0.1))(w)
    np.testing.assert_allclose([value], [0.05 * np.square(w).sum()])
    np.testing.assert_allclose(g, 0.1 * w)


@both
def test_masked_classes_cost_nothing(mode):
    """A logit of -inf takes its class out: no loss, no gradient, no NaN."""
    logits, labels = jnp.array([[0.0, 0.0, -INF]]), jnp.array([1])
    soft = jnp.array([[0.5, 0.5, 0.0]])
    with fcnn.gradients(mode):
        for loss in (
            lambda z: fcnn.softmax_cross_entropy(z, labels),
            lambda z: fcnn.softmax_cross_entropy(z, labels, jnp.array([1.0, 1.0, 2.0])),
            lambda z: fcnn.nll(fcnn.log_softmax(z), labels),
            lambda z: fcnn.soft_cross_entropy(z, soft),
            lambda z: fcnn.kl_divergence(fcnn.log_softmax(z), jnp.array([[0.0, 1.0, 0.0]])),
        ):
            np.testing.assert_allclose(loss(logits), [math.log(2)], rtol=1e-15)
            g = grad(loss, logits)
            assert np.isfinite(g).all()
            assert g[0, 2] == 0
        ask = jax.value_and_grad(lambda z: fcnn.hinge(z, labels).sum())
        np.testing.assert_array_equal(ask(logits)[1], [[1, -1, 0]])


@both
def test_certainty_that_is_right_costs_nothing(mode):
    logits, targets = jnp.array([[-INF, INF, 0.0]]), jnp.array([[0.0, 1.0, 1.0]])
    with fcnn.gradients(mode):
        np.testing.assert_allclose(fcnn.sigmoid_cross_entropy(logits, targets), [math.log(2)])
        np.testing.assert_allclose(fcnn.focal(logits, targets), [math.log(2) / 16])
    for loss in (fcnn.sigmoid_cross_entropy, fcnn.focal):
        assert np.isfinite(grad(lambda z, f=loss: f(z, targets), logits)).all()
        assert np.isfinite(grad(lambda t, f=loss: f(logits, t), targets)).all()


def test_certainty_that_is_wrong_costs_without_end():
    assert fcnn.sigmoid_cross_entropy(jnp.array([INF]), jnp.zeros(1))[0] == INF
    assert fcnn.soft_cross_entropy(jnp.array([[0.0, -INF]]), jnp.full((1, 2), 0.5))[0] == INF


@both
@pytest.mark.parametrize(
    "loss", [fcnn.softmax_cross_entropy, fcnn.nll, fcnn.hinge], ids=lambda op: op.name
)
def test_a_label_that_is_no_class_gives_nan_and_moves_nothing(loss, mode):
    z, labels = jnp.array([[0.0, 1.0], [0.0, 1.0], [2.0, 1.0]]), jnp.array([2, -1, 1])
    with fcnn.gradients(mode):
        np.testing.assert_array_equal(np.isnan(loss(z, labels)), [True, True, False])
        g = grad(lambda z: loss(z, labels), z)
    assert (np.abs(g).sum(-1) > 0).tolist() == [False, False, True]


@both
@pytest.mark.parametrize("ignored", [-100, 1])
def test_ignored_labels_cost_and_move_nothing(ignored, mode):
    z, labels = jnp.array([[0.0, -INF], [1.0, 0.0]]), jnp.array([ignored, 0])
    how = {"ignore_index": ignored, "label_smoothing": 0.1}
    w = jnp.ones(2)
    with fcnn.gradients(mode):
        loss = fcnn.softmax_cross_entropy(z, labels, w, **how)
        dz, dw = jax.grad(
            lambda *a: fcnn.softmax_cross_entropy(a[0], labels, a[1], **how).sum(), (0, 1)
        )(z, w)
    assert loss[0] == 0
    assert loss[1] > 0
    np.testing.assert_array_equal(dz[0], 0)
    assert np.isfinite(dw).all()


def test_smoothing_by_hand():
    loss = fcnn.softmax_cross_entropy(jnp.zeros((1, 4)), jnp.array([0]), label_smoothing=0.2)
    np.testing.assert_allclose(loss, np.log(4))
    log_p = jnp.log(jnp.array([[0.5, 0.25, 0.25]]))
    loss = fcnn.softmax_cross_entropy(log_p, jnp.array([0]), label_smoothing=0.3)
    np.testing.assert_allclose(loss, 0.8 * np.log(2) + 0.2 * np.log(4))


def test_soft_targets_that_are_labels_are_labels(key):
    z, labels = jax.random.normal(key, (5, 3)), jnp.array([0, 2, 1, 1, 0])
    soft = fcnn.soft_cross_entropy(z, jax.nn.one_hot(labels, 3))
    hard = fcnn.softmax_cross_entropy(z, labels)
    np.testing.assert_allclose(soft, hard, rtol=1e-14)
    np.testing.assert_allclose(fcnn.nll(fcnn.log_softmax(z), labels), hard, rtol=1e-14)


@both
def test_divergence_is_0_from_itself_and_flat_where_p_is_0(mode):
    p = jnp.array([[0.5, 0.5, 0.0]])
    log_q = jnp.log(jnp.array([[0.25, 0.5, 0.25]]))
    np.testing.assert_allclose(fcnn.kl_divergence(jnp.log(p), p), [0])
    np.testing.assert_allclose(fcnn.kl_divergence(log_q, p), [0.5 * np.log(2)])
    with fcnn.gradients(mode):
        g = grad(lambda p: fcnn.kl_divergence(log_q, p), p)
    np.testing.assert_allclose(g, [[np.log(2) + 1, 1, 0]])


@both
def test_hinge_by_hand_and_flat_where_it_touches(mode):
    z, labels = jnp.array([[3.0, 2.0, 2.5], [1.0, 0.0, 0.0]]), jnp.array([0, 0])
    np.testing.assert_allclose(fcnn.hinge(z, labels), [0.5, 0])
    with fcnn.gradients(mode):
        g = grad(lambda z: fcnn.hinge(z, labels), z)
    np.testing.assert_array_equal(g, [[-1, 0, 1], [0, 0, 0]])


def test_focal_without_focus_is_half_the_cross_entropy(key):
    z, t = jax.random.normal(key, (4, 3)), jnp.eye(4, 3)
    plain = fcnn.focal(z, t, alpha=0.5, gamma=0.0)
    np.testing.assert_allclose(plain, fcnn.sigmoid_cross_entropy(z, t) / 2, rtol=1e-14)
    easy = jnp.array([[math.log(9.0)]])  # probability 0.9
    np.testing.assert_allclose(fcnn.focal(easy, jnp.ones((1, 1))), [-0.25 * 0.01 * np.log(0.9)])


def test_losses_in_half_precision_square_in_full():
    y = jnp.full((1, 4), 200, jnp.float16)
    assert fcnn.mean_squared_error(y, jnp.zeros_like(y))[0] == 40_000
