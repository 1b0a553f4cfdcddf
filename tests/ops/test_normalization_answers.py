"""Normalization and scaling: known values, axes of the statistics, limits and kinks."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn


def run(f, *args):
    """f(*args), compiled as one program."""
    return jax.tree.map(np.asarray, jax.jit(f)(*args))


def grad(f, x):
    return jax.grad(lambda x: f(x).sum())(x)


def ones_and_zeros(c, dtype=float):
    return np.ones(c, dtype), np.zeros(c, dtype)


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape)


def test_axes_of_the_mean_and_variance_of_each_normalization():
    x = 3 + 2 * normal(2, 5, 4, 6) + np.arange(24.0).reshape(1, 1, 4, 6)
    pairs = x.reshape(2, 5, 4, 3, 2)

    def standard(x, axes):
        mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
        return ((x - mean) / np.sqrt(var + 1e-5)).reshape(2, 5, 4, 6)

    def all_norms(*args):
        yield fcnn.layer_norm(*args)
        yield fcnn.instance_norm(*args)
        yield fcnn.group_norm(*args, groups=3)
        yield fcnn.group_norm(*args, groups=1)

    found = run(lambda *args: list(all_norms(*args)), x, *ones_and_zeros(6))
    of_axes = (x, 3), (x, (1, 2)), (pairs, (1, 2, 4)), (x, (1, 2, 3))
    for y, (x, axes) in zip(found, of_axes, strict=True):
        np.testing.assert_allclose(y, standard(x, axes), rtol=1e-12, atol=1e-13)


def test_one_group_per_channel_equals_instance_norm():
    x, (scale, bias) = normal(2, 5, 4, 6), ones_and_zeros(6)
    both = lambda *args: (fcnn.group_norm(*args, groups=6), fcnn.instance_norm(*args))
    np.testing.assert_allclose(*run(both, x, 2 * scale, bias + 1), rtol=1e-14)


def test_rms_norm_known_values():
    """The root mean square of 3, 4 and 5 is sqrt(50 / 3)."""
    x, scale = np.array([3.0, 4.0, 5.0]), np.array([1.0, 2.0, 3.0])
    y = run(partial(fcnn.rms_norm, eps=1e-15), x, scale)
    np.testing.assert_allclose(y, np.array([3.0, 8.0, 15.0]) / np.sqrt(50 / 3), rtol=1e-14)


def test_masked_batch_norm_uses_only_the_unmasked_entries():
    rng = np.random.default_rng(0)
    x, mask = rng.standard_normal((7, 4, 3)), rng.random((7, 4)) < 0.5
    (scale, bias), train = ones_and_zeros(3), partial(fcnn.batch_norm, train=True, momentum=0.0)
    masks = mask, mask[:, 0], np.tile(mask[:, :1], 4)
    by_each = lambda masks, *args: [train(*args, mask) for mask in masks]
    found = run(by_each, masks, x, scale, bias, bias, scale)
    (y, mean, var), by_examples, by_cells = found
    rows = x[mask]
    np.testing.assert_allclose(mean, rows.mean(0), rtol=1e-13)
    np.testing.assert_allclose(var, rows.var(0), rtol=1e-13)
    np.testing.assert_allclose(y, (x - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-5), rtol=1e-12)
    for a, b in zip(by_examples, by_cells, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)


def test_an_empty_mask_leaves_the_running_values_unchanged():
    x, mean, var = np.array([[2.0], [4.0]]), np.array([5.0]), np.array([6.0])
    train = partial(fcnn.batch_norm, train=True, eps=4.0)
    y, *running = run(train, x, *ones_and_zeros(1), mean, var, np.zeros(2, bool))
    np.testing.assert_array_equal(y, x / 2)
    assert running == [mean, var]


@pytest.mark.parametrize("mode", ["hand", "autodiff"])
def test_an_overflowing_variance_gives_zeros(mode):
    """The variance overflows in float32, its square root would not. All gradients are finite."""
    x, (scale, bias) = (1e20 * normal(2, 4, 3)).astype(np.float32), ones_and_zeros(3, np.float32)

    def norms(x, scale, bias):
        train = lambda x: fcnn.batch_norm(x, scale, bias, bias, scale, train=True)
        zeros = (
            lambda x: fcnn.layer_norm(x, scale, bias),
            lambda x: fcnn.instance_norm(x, scale, bias),
            lambda x: fcnn.group_norm(x, scale, bias, groups=3),
            lambda x: fcnn.rms_norm(x, scale),
            lambda x: train(x)[0],
        )
        return [(f(x), grad(f, x)) for f in zeros], grad(lambda x: train(x)[2], x)

    with fcnn.gradients(mode):
        found, of_the_variance = run(norms, x, scale, bias)
    assert not any(a.any() for a in jax.tree.leaves(found))
    assert np.isfinite(of_the_variance).all()
    assert (of_the_variance != 0).any()


def test_min_max_scale_known_values():
    def three(x):
        yield fcnn.min_max_scale(x), [[0, 0.5, 1], [0, 0.25, 1]], 0
        yield fcnn.min_max_scale(x, to=(-1.0, 1.0)), [[-1, 0, 1], [-1, -0.5, 1]], 1e-15
        yield fcnn.min_max_scale(x, axis=0), [[0, 1, 1], [1, 0, 0]], 0

    x = np.array([[1.0, 3.0, 5.0], [2.0, 2.5, 4.0]])
    for y, wanted, atol in run(lambda x: list(three(x)), x):
        np.testing.assert_allclose(y, wanted, atol=atol)


def test_min_max_scale_known_gradient():
    """The middle entry y = (x - lo) / (hi - lo) has slopes 1/4 in x, -1/8 in lo and -1/8 in hi."""
    middle = lambda x: fcnn.min_max_scale(x)[:, 1]
    slope = run(partial(grad, middle), np.array([[1.0, 3.0, 5.0]]))
    np.testing.assert_allclose(slope, [[-1 / 8, 1 / 4, -1 / 8]])


def test_min_max_scale_reaches_both_ends():
    y = run(partial(fcnn.min_max_scale, to=(0.1, 0.7)), normal(50, 9))
    np.testing.assert_array_equal(y.min(1), 0.1)
    np.testing.assert_allclose(y.max(1), 0.7, rtol=1e-15)


@pytest.mark.parametrize("mode", ["hand", "autodiff"])
def test_min_max_scale_gradient_of_ties_goes_to_the_first(mode):
    """The second of two minima and the second of two maxima have no gradient."""
    middle = lambda x: fcnn.min_max_scale(x)[:, 2]
    with fcnn.gradients(mode):
        slope = run(partial(grad, middle), np.array([[0.0, 2.0, 1.0, 0.0, 2.0]]))
    np.testing.assert_allclose(slope, [[-1 / 4, -1 / 4, 1 / 2, 0, 0]])


@pytest.mark.parametrize("mode", ["hand", "autodiff"])
def test_min_max_scale_of_equal_entries_is_the_lower_bound(mode):
    x = np.tile(np.array([[7.0], [0.0], [-1e300]]), (1, 3))
    squares = lambda x: jnp.square(fcnn.min_max_scale(x))
    with fcnn.gradients(mode):
        both = lambda x: (fcnn.min_max_scale(x, to=(-1.0, 1.0)), grad(squares, x))
        y, dx = run(both, x)
    np.testing.assert_array_equal(y, -1)
    np.testing.assert_array_equal(dx, 0)


def test_min_max_scale_does_not_overflow_and_propagates_nan():
    x = np.array([[-1.7e308, 0.0, 1.7e308], [-1.7e308, np.nan, 1.7e308]])
    y, dx = run(lambda x: (fcnn.min_max_scale(x), grad(fcnn.min_max_scale, x)), x)
    np.testing.assert_allclose(y[0], [0, 0.5, 1])
    assert np.isfinite(dx[0]).all()
    assert np.isnan(y[1]).all()


@pytest.mark.parametrize("mode", ["hand", "autodiff"])
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16], ids=lambda d: d.__name__)
def test_running_values_in_float32_beside_half_precision(mode, dtype):
    """Steps of 1% reach the statistics of the batch. In bfloat16, running values of 1 stay 1."""
    x = jnp.array([[0.1], [2.1]], dtype)  # mean 1.1, variance 1
    ones, wide = jnp.ones(1, dtype), jnp.ones(1, jnp.float32)
    train = partial(fcnn.batch_norm, train=True, momentum=0.99)
    exact = np.asarray(x, float)

    def run(x, scale, mean, var):
        def total(x, scale, mean, var):
            y, mean, var = train(x, scale, ones, mean, var)
            return y.astype(wide.dtype).sum() + (mean + 2 * var).sum(), (y, mean, var)

        return jax.value_and_grad(total, (0, 1, 2, 3), has_aux=True)(x, scale, mean, var)

    with fcnn.gradients(mode):
        (_, (y, mean, var)), grads = jax.jit(run)(x, ones, 1 * wide, 2 * wide)
    np.testing.assert_allclose(mean, 0.99 + 0.01 * exact.mean(), rtol=1e-6)
    np.testing.assert_allclose(var, 2 * 0.99 + 0.01 * exact.var(), rtol=1e-6)
    assert [a.dtype for a in (y, mean, var)] == [dtype, wide.dtype, wide.dtype]
    assert [g.dtype for g in grads] == [dtype, dtype, wide.dtype, wide.dtype]
    np.testing.assert_allclose(np.ravel(grads[2:]), [0.99, 2 * 0.99], rtol=1e-6)


@pytest.mark.parametrize("mode", ["hand", "autodiff"])
def test_evaluation_with_float32_running_values(mode):
    x, one = jnp.array([[3.0], [1.0]], jnp.bfloat16), jnp.ones(1, jnp.bfloat16)
    mean, var = jnp.full(1, 2, jnp.float32), jnp.full(1, 4, jnp.float32)
    evaluate = partial(fcnn.batch_norm, train=False, eps=1e-12)
    total = lambda mean, var: evaluate(x, one, one, mean, var)[0].astype(mean.dtype)[0, 0]
    with fcnn.gradients(mode):
        dmean, dvar = jax.jit(jax.grad(total, (0, 1)))(mean, var)
        y, *running = jax.jit(evaluate)(x, one, one, mean, var)
    np.testing.assert_array_equal(np.asarray(y, float).ravel(), [1.5, 0.5])
    assert [a.dtype for a in (y, *running, dmean, dvar)] == [x.dtype, *4 * (mean.dtype,)]
    np.testing.assert_allclose([*dmean, *dvar], [-1 / 2, -1 / 16], rtol=1e-6)
