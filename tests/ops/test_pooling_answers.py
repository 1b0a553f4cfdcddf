"""Pooling, unpooling and resizing: values worked out by hand, ends that are cut off, and kinks."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn

MODES = pytest.mark.parametrize("mode", ["hand", "autodiff"])


def row(*values, dtype=float):
    return jnp.array(values, dtype).reshape(1, -1, 1)


def grad(f, x):
    return jax.jit(jax.grad(lambda x: f(x).sum()))(x)


def both_hessians(f, x):
    """Forward over reverse, and reverse over reverse."""
    return jax.jit(lambda x: (jax.hessian(f)(x), jax.jacrev(jax.jacrev(f))(x)))(x)


def same(actual, wanted):
    np.testing.assert_allclose(np.ravel(actual), np.ravel(wanted), rtol=1e-14, atol=1e-300)


def test_ceil_mode_cuts_off_the_last_window():
    x = row(1, 2, 3, 4, 5)
    same(fcnn.max_pool(x, 2), [2, 4])
    same(fcnn.max_pool(x, 2, ceil_mode=True), [2, 4, 5])
    same(fcnn.avg_pool(x, 3, stride=2, ceil_mode=True), [2, 4])  # nothing is left over
    same(fcnn.lp_pool(x, 2, p=1, ceil_mode=True), [3, 7, 5])
    same(fcnn.lp_pool(row(3), 2, ceil_mode=True), [3])  # even the first may be cut off


def test_ceil_mode_puts_no_window_wholly_in_the_high_padding():
    same(fcnn.max_pool(row(1, 2, 3), 2, padding=1, ceil_mode=True), [1, 3])
    same(fcnn.max_pool(row(1, 2, 3, 4), 2, padding=1, ceil_mode=True), [1, 3, 4])
    same(fcnn.max_pool(row(1, 2, 3, 4), 2, stride=3, padding=1, ceil_mode=True), [1, 4])


def test_what_ceil_mode_adds_is_never_counted():
    """A window of 3 from the last of 4 cells: one real, one of padding, one beyond."""
    how = {"stride": 3, "padding": ((0, 1),), "ceil_mode": True}
    x = row(1, 2, 3, 4)
    same(fcnn.avg_pool(x, 3, **how), [2, 4])
    same(fcnn.avg_pool(x, 3, count_include_pad=True, **how), [2, 2])


@pytest.mark.parametrize("p", [1, 2, 3.5, 40, math.inf])
def test_norm_of_equal_entries(p):
    """k equal entries of size a: their norm is a k^(1/p), and the mean form a."""
    x = row(-2, 2, -2)
    same(fcnn.lp_pool(x, 3, p=p), 2 * 3 ** (1 / p))
    same(fcnn.lp_pool(x, 3, p=p, mean=True), 2)
    same(fcnn.lp_pool(x, 3, stride=1, padding=1, p=p, mean=True), [2, 2, 2])  # of real cells


@MODES
@pytest.mark.parametrize("p", [1, 1.5, 2, 500, 1e9])
@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_norms_neither_overflow_nor_vanish(p, size, mode):
    with fcnn.gradients(mode):
        y, pull = jax.vjp(lambda x: fcnn.lp_pool(x, 2, p=p), size * row(3, 4))
    same(y, size * 4 * (1 + 0.75**p) ** (1 / p))
    slope = (1 + 0.75**p) ** (1 / p - 1)
    np.testing.assert_allclose(
        pull(jnp.ones_like(y))[0].ravel(), [slope * 0.75 ** (p - 1), slope], rtol=1e-12, atol=1e-300
    )


@MODES
def test_the_largest_norm_moves_its_first_maximum_alone(mode):
    x = row(1, -3, 3, 0, 0, 0)
    with fcnn.gradients(mode):
        same(fcnn.lp_pool(x, 3, p=math.inf), [3, 0])
        same(grad(lambda x: fcnn.lp_pool(x, 3, p=math.inf), x), [0, -1, 0, 0, 0, 0])


@MODES
@pytest.mark.parametrize("p", [1, 1.5, 2, 3, math.inf])
@pytest.mark.parametrize("mean", [False, True])
def test_norms_are_flat_at_zero(mode, p, mean):
    with fcnn.gradients(mode):
        g = grad(lambda x: fcnn.lp_pool(x, 2, p=p, mean=mean, padding=1), row(0, 0, 0))
    np.testing.assert_array_equal(g, 0)


@MODES
def test_the_euclidean_norm_curves_at_an_entry_that_is_zero(mode):
    """At (0, y) its second derivatives are 1 / y along the zero, and 0."""
    with fcnn.gradients(mode):
        for h in both_hessians(lambda x: fcnn.lp_pool(x, 2).sum(), row(0, 4)):
            same(h, [0.25, 0, 0, 0])


@MODES
@pytest.mark.parametrize("p", [1, 1.5, 3])
def test_second_derivatives_are_finite_over_padding(mode, p):
    f = lambda x: fcnn.lp_pool(x, 2, p=p, padding=1).sum()
    with fcnn.gradients(mode):
        for h in both_hessians(f, row(0, 4, 1)):
            assert np.isfinite(h).all()


def test_infinity_and_nan_pass_through_every_norm():
    x = row(-np.inf, 1, np.nan, 1)
    for p in (1, 2, 7.5, math.inf):
        np.testing.assert_array_equal(fcnn.lp_pool(x, 2, p=p).ravel(), [np.inf, np.nan])


def test_indices_number_the_cells_of_the_grid():
    x = jnp.array([[1.0, 9, 2, 0], [3, 0, 0, 8], [7, 7, -5, -6]]).reshape(1, 3, 4, 1)
    y, index = fcnn.max_pool_with_indices(x, 2, ceil_mode=True)
    same(y, [9, 8, 7, -5])
    np.testing.assert_array_equal(index.ravel(), [1, 7, 8, 10])
    assert index.dtype == jnp.int32


def test_indices_are_of_real_cells_where_there_are_any():
    x = row(-np.inf, -np.inf)
    for window, wanted in ((1, [-1, 0, 1, -1]), (2, [0, 1])):
        _, index = fcnn.max_pool_with_indices(x, window, padding=1)
        np.testing.assert_array_equal(index.ravel(), wanted)


def test_unpooling_is_the_gradient_of_max_pooling(key):
    """Overlapping windows too, whose shares add up."""
    x, how = jax.random.normal(key, (2, 5, 6, 3)), {"stride": 1, "padding": 1}
    y, pull, index = jax.vjp(lambda x: fcnn.max_pool_with_indices(x, 3, **how), x, has_aux=True)
    dy = jnp.cos(y)
    np.testing.assert_allclose(pull(dy)[0], fcnn.max_unpool(dy, index, (5, 6)), rtol=0, atol=1e-14)


@MODES
def test_unpooling_adds_what_shares_an_index_and_leaves_out_what_is_off_the_grid(mode):
    x, index = row(1, 2, 4, 8), row(1, -1, 3, 1, dtype=jnp.int8)
    with fcnn.gradients(mode):
        same(fcnn.max_unpool(x, index, 3), [0, 9, 0])
        g = grad(lambda x: fcnn.max_unpool(x, index, 3) * row(5, 6, 7), x)
    same(g, [6, 0, 0, 6])


def test_unpooling_adds_in_float32():
    x = jnp.ones((1, 4096, 1), jnp.bfloat16)
    assert fcnn.max_unpool(x, jnp.zeros(x.shape, int), 1).squeeze() == 4096


def test_bins_overlap_where_they_do_not_divide():
    """Of 5 cells 3 bins are 0-1, 1-3 and 3-4; of 2 cells they are 0, 0-1 and 1."""
    same(fcnn.adaptive_avg_pool(row(1, 2, 3, 4, 5), 3), [1.5, 3, 4.5])
    same(fcnn.adaptive_max_pool(row(5, 4, 3, 2, 1), 3), [5, 4, 2])
    same(fcnn.adaptive_avg_pool(row(1, 2), 3), [1, 1.5, 2])
    same(grad(lambda x: fcnn.adaptive_max_pool(x, 3), row(3, 2, 1, 4, 0)), [1, 0, 0, 2, 0])


@MODES
def test_ties_in_a_bin_go_to_the_first_in_row_major_order(mode):
    """A later row holds the maximum in an earlier column."""
    x = jnp.array([[0.0, 1, 0], [1, 1, 0]]).reshape(1, 2, 3, 1)
    with fcnn.gradients(mode):
        for pool in (fcnn.global_max_pool, lambda x: fcnn.adaptive_max_pool(x, 1)):
            same(grad(pool, x), [0, 1, 0, 0, 0, 0])


def test_nan_is_the_maximum_of_its_bins_alone():
    x = row(1, 2, 3, np.nan)
    np.testing.assert_array_equal(fcnn.adaptive_max_pool(x, 2).ravel(), [2, np.nan])
    np.testing.assert_array_equal(fcnn.global_max_pool(x).ravel(), [np.nan])


def test_nearest_repeats_and_skips():
    same(fcnn.resize_nearest(row(1, 2), 4), [1, 1, 2, 2])
    same(fcnn.resize_nearest(row(1, 2, 3), 5), [1, 1, 2, 2, 3])
    same(fcnn.resize_nearest(row(1, 2, 3, 4), 2), [1, 3])
    x = row(np.nan, 1, np.inf)
    np.testing.assert_array_equal(fcnn.resize_nearest(x, 3), x)


def test_linear_reads_between_centres_and_stays_within_the_outer_ones():
    same(fcnn.resize_linear(row(0, 4), 4), [0, 1, 3, 4])
    same(fcnn.resize_linear(row(1, 3, 5, 7), 2), [2, 6])
    same(fcnn.resize_linear(row(1, 3, 5), 1), [3])
    dy = row(1, 10, 100, 1000)
    same(grad(lambda x: fcnn.resize_linear(x, 4) * dy, row(0, 4)), [33.5, 1077.5])


def test_nearest_and_linear_agree_with_jax_image(key):
    """Its nearest is that under the centre: the same where sizes divide."""
    x = jax.random.normal(key, (2, 3, 4, 2))
    for size in ((6, 12), (9, 4)):
        shape = (2, *size, 2)
        for ours, method in ((fcnn.resize_nearest, "nearest"), (fcnn.resize_linear, "linear")):
            wanted = jax.image.resize(x, shape, method, antialias=False)
            np.testing.assert_allclose(ours(x, size), wanted, rtol=0, atol=1e-6)
