"""Losses: known values, masked classes, labels out of range, and kinks."""

import math
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn

both = pytest.mark.parametrize("mode", ["hand", "autodiff"])
INF = np.inf


def run(f, *args):
    """f(*args), compiled as one program."""
    return jax.tree.map(np.asarray, jax.jit(f)(*args))


def grad(f, x):
    return jax.grad(lambda x: f(x).sum())(x)


def with_grad(f, x):
    return f(x), grad(f, x)


def test_regression_losses_known_values():
    y, t = np.array([[3.0, 0.0, -0.5]]), np.zeros((1, 3))

    def values_and_slopes(y, t):
        huber, square = (partial(f, targets=t) for f in (fcnn.huber, fcnn.mean_squared_error))
        values = square(y), fcnn.absolute_error(y, t), huber(y), huber(y, delta=2.0)
        return values, (grad(huber, y), grad(square, y))

    values, slopes = run(values_and_slopes, y, t)
    np.testing.assert_allclose(np.ravel(values), [9.25 / 3, 3.5, 2.5 + 0.125, 2 * (3 - 1) + 0.125])
    np.testing.assert_allclose(slopes, ([[1, 0, -0.5]], 2 * y / 3))


@both
def test_slope_of_absolute_error_is_0_at_the_target(mode):
    slope = lambda y, t: grad(lambda y: fcnn.absolute_error(y, t), y)
    with fcnn.gradients(mode):
        g = run(slope, np.array([0.0, 1.0, 2.0]), np.ones(3))
    np.testing.assert_array_equal(g, [-1, 0, 1])


def test_gradient_of_l2_penalty_is_rate_times_w():
    w = np.random.default_rng(0).standard_normal((3, 2))
    value, g = run(partial(with_grad, partial(fcnn.l2_penalty, rate=0.1)), w)
    np.testing.assert_allclose([value], [0.05 * np.square(w).sum()])
    np.testing.assert_allclose(g, 0.1 * w)


@both
def test_masked_classes_add_no_loss(mode):
    """A class with logit -inf adds no loss and gets no gradient. No result is NaN."""
    labels, soft, sure = np.array([1]), np.array([[0.5, 0.5, 0.0]]), np.array([[0.0, 1.0, 0.0]])
    weights = np.array([1.0, 1.0, 2.0])
    losses = (
        lambda z: fcnn.softmax_cross_entropy(z, labels),
        lambda z: fcnn.softmax_cross_entropy(z, labels, weights),
        lambda z: fcnn.nll(fcnn.log_softmax(z), labels),
        lambda z: fcnn.soft_cross_entropy(z, soft),
        lambda z: fcnn.kl_divergence(fcnn.log_softmax(z), sure),
        lambda z: fcnn.hinge(z, labels),
    )
    with fcnn.gradients(mode):
        logits = np.array([[0.0, 0.0, -INF]])
        *of_entropies, (_, of_hinge) = run(lambda z: [with_grad(f, z) for f in losses], logits)
    for value, g in of_entropies:
        np.testing.assert_allclose(value, [math.log(2)], rtol=1e-15)
        assert np.isfinite(g).all()
        assert g[0, 2] == 0
    np.testing.assert_array_equal(of_hinge, [[1, -1, 0]])


@both
def test_certain_correct_predictions_add_no_loss(mode):
    logits, targets = np.array([[-INF, INF, 0.0]]), np.array([[0.0, 1.0, 1.0]])
    losses = fcnn.sigmoid_cross_entropy, fcnn.focal
    with fcnn.gradients(mode):
        entropy, focal = run(lambda *a: [f(*a) for f in losses], logits, targets)
    np.testing.assert_allclose(entropy, [math.log(2)])
    np.testing.assert_allclose(focal, [math.log(2) / 16])


def test_certain_correct_predictions_have_finite_gradients():
    logits, targets = np.array([[-INF, INF, 0.0]]), np.array([[0.0, 1.0, 1.0]])
    losses = fcnn.sigmoid_cross_entropy, fcnn.focal
    slopes = lambda f, *a: jax.grad(lambda *a: f(*a).sum(), (0, 1))(*a)
    assert np.isfinite(run(lambda *a: [slopes(f, *a) for f in losses], logits, targets)).all()


def test_certain_wrong_predictions_have_infinite_loss():
    sure, soft = np.array([[0.0, -INF]]), np.full((1, 2), 0.5)
    assert run(fcnn.sigmoid_cross_entropy, np.array([INF]), np.zeros(1)).item() == INF
    assert run(fcnn.soft_cross_entropy, sure, soft).item() == INF


LABELLED = (fcnn.softmax_cross_entropy, fcnn.nll, fcnn.hinge)


@both
@pytest.mark.parametrize("loss", LABELLED, ids=lambda op: op.name)
def test_a_label_out_of_range_gives_nan_and_no_gradient(loss, mode):
    value, g = labelled(mode)[loss.name]
    np.testing.assert_array_equal(np.isnan(value), [True, True, False])
    assert (np.abs(g).sum(-1) > 0).tolist() == [False, False, True]


@cache
def labelled(mode):
    z, labels = np.array([[0.0, 1.0], [0.0, 1.0], [2.0, 1.0]]), np.array([2, -1, 1])
    one = lambda loss, z, labels: with_grad(lambda z: loss(z, labels), z)
    with fcnn.gradients(mode):
        return run(lambda *a: {loss.name: one(loss, *a) for loss in LABELLED}, z, labels)


IGNORED = (-100, 1)


@both
@pytest.mark.parametrize("ignored", IGNORED)
def test_ignored_labels_have_no_loss_and_no_gradient(ignored, mode):
    loss, (dz, dw) = ignoring(mode)[ignored]
    assert loss[0] == 0
    assert loss[1] > 0
    np.testing.assert_array_equal(dz[0], 0)
    assert np.isfinite(dw).all()


@cache
def ignoring(mode):
    def one(ignored, z, w):
        labels, options = np.array([ignored, 0]), {"ignore_index": ignored, "label_smoothing": 0.1}
        f = lambda z, w: fcnn.softmax_cross_entropy(z, labels, w, **options)
        return f(z, w), jax.grad(lambda *a: f(*a).sum(), (0, 1))(z, w)

    z, w = np.array([[0.0, -INF], [1.0, 0.0]]), np.ones(2)
    with fcnn.gradients(mode):
        return run(lambda *a: {ignored: one(ignored, *a) for ignored in IGNORED}, z, w)


def test_label_smoothing_known_values():
    smoothed = lambda z, by: fcnn.softmax_cross_entropy(z, np.array([0]), label_smoothing=by)
    z = np.zeros((1, 4)), np.log(np.array([[0.5, 0.25, 0.25]]))
    even, uneven = run(lambda z, log_p: (smoothed(z, 0.2), smoothed(log_p, 0.3)), *z)
    np.testing.assert_allclose(even, np.log(4))
    np.testing.assert_allclose(uneven, 0.8 * np.log(2) + 0.2 * np.log(4))


def test_one_hot_targets_equal_labels():
    def three_ways(z, soft, labels):
        yield fcnn.softmax_cross_entropy(z, labels)
        yield fcnn.soft_cross_entropy(z, soft)
        yield fcnn.nll(fcnn.log_softmax(z), labels)

    z, labels = np.random.default_rng(0).standard_normal((5, 3)), np.array([0, 2, 1, 1, 0])
    hard, soft, nll = run(lambda *a: list(three_ways(*a)), z, np.eye(3)[labels], labels)
    np.testing.assert_allclose(soft, hard, rtol=1e-14)
    np.testing.assert_allclose(nll, hard, rtol=1e-14)


@both
def test_kl_divergence_is_0_if_p_equals_q_and_its_slope_is_0_if_p_is_0(mode):
    p, q = np.array([[0.5, 0.5, 0.0]]), np.array([[0.25, 0.5, 0.25]])

    def values_and_slope(p, q):
        from_itself = fcnn.kl_divergence(jnp.log(p), p)
        return from_itself, *with_grad(partial(fcnn.kl_divergence, jnp.log(q)), p)

    with fcnn.gradients(mode):
        from_itself, divergence, g = run(values_and_slope, p, q)
    np.testing.assert_allclose(from_itself, [0])
    np.testing.assert_allclose(divergence, [0.5 * np.log(2)])
    np.testing.assert_allclose(g, [[np.log(2) + 1, 1, 0]])


@both
def test_hinge_known_values_and_slope_0_at_the_margin(mode):
    z, labels = np.array([[3.0, 2.0, 2.5], [1.0, 0.0, 0.0]]), np.array([0, 0])
    with fcnn.gradients(mode):
        loss, g = run(lambda z, labels: with_grad(lambda z: fcnn.hinge(z, labels), z), z, labels)
    np.testing.assert_allclose(loss, [0.5, 0])
    np.testing.assert_array_equal(g, [[-1, 0, 1], [0, 0, 0]])


def test_focal_with_gamma_0_is_half_the_cross_entropy():
    def three(z, t, easy, one):
        yield fcnn.focal(z, t, alpha=0.5, gamma=0.0)
        yield fcnn.sigmoid_cross_entropy(z, t)
        yield fcnn.focal(easy, one)

    z, easy = np.random.default_rng(0).standard_normal((4, 3)), [[math.log(9.0)]]  # p = 0.9
    args = z, np.eye(4, 3), np.array(easy), np.ones((1, 1))
    plain, entropy, of_easy = run(lambda *a: list(three(*a)), *args)
    np.testing.assert_allclose(plain, entropy / 2, rtol=1e-14)
    np.testing.assert_allclose(of_easy, [-0.25 * 0.01 * np.log(0.9)])


def test_mean_squared_error_of_half_precision_squares_in_float32():
    y = np.full((1, 4), 200, np.float16)
    assert run(fcnn.mean_squared_error, y, 0 * y).item() == 40_000
