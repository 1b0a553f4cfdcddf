"""Pooling, unpooling and resizing: known answers, ceil_mode, extreme values and kinks."""

import itertools
import math
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn

MODES = pytest.mark.parametrize("mode", ["hand", "autodiff"])


def row(*values, dtype=float):
    return np.array(values, dtype).reshape(1, -1, 1)


def run(f, *args):
    """f(*args) as NumPy arrays, from one jitted program."""
    return jax.tree.map(np.asarray, jax.jit(f)(*args))


def grad(f, x):
    return jax.grad(lambda x: f(x).sum())(x)


def both_hessians(f, x):
    """The Hessian of f, by forward over reverse and by reverse over reverse."""
    return jax.hessian(f)(x), jax.jacrev(jax.jacrev(f))(x)


def same(actual, expected):
    np.testing.assert_allclose(np.ravel(actual), np.ravel(expected), rtol=1e-14, atol=1e-300)


def test_ceil_mode_adds_a_partial_window():
    def all_five(x, one):
        yield fcnn.max_pool(x, 2), [2, 4]
        yield fcnn.max_pool(x, 2, ceil_mode=True), [2, 4, 5]
        yield fcnn.avg_pool(x, 3, stride=2, ceil_mode=True), [2, 4]  # no cells are left over
        yield fcnn.lp_pool(x, 2, p=1, ceil_mode=True), [3, 7, 5]
        yield fcnn.lp_pool(one, 2, ceil_mode=True), [3]  # the first window may be partial too

    for y, expected in run(lambda *x: list(all_five(*x)), row(1, 2, 3, 4, 5), row(3)):
        same(y, expected)


def test_ceil_mode_adds_no_window_wholly_in_the_high_padding():
    pool = partial(fcnn.max_pool, window=2, padding=1, ceil_mode=True)
    x = row(1, 2, 3), row(1, 2, 3, 4)
    of_3, of_4, strided = run(lambda a, b: (pool(a), pool(b), pool(b, stride=3)), *x)
    same(of_3, [1, 3])
    same(of_4, [1, 3, 4])
    same(strided, [1, 4])


def test_cells_added_by_ceil_mode_are_not_counted():
    """The second window has the last cell of x, one padding cell, and a cell added by ceil_mode."""
    options = {"stride": 3, "padding": ((0, 1),), "ceil_mode": True}
    pool = partial(fcnn.avg_pool, window=3, **options)
    plain, padded = run(lambda x: (pool(x), pool(x, count_include_pad=True)), row(1, 2, 3, 4))
    same(plain, [2, 4])
    same(padded, [2, 2])


EQUAL_BY = (1, 2, 3.5, 40, math.inf)


@pytest.mark.parametrize("p", EQUAL_BY)
def test_lp_pool_of_equal_entries(p):
    """The norm of k entries of magnitude a is a k^(1/p). With mean=True it is a."""
    total, mean, of_real_cells = norms_of_equal_entries()[p]
    same(total, 2 * 3 ** (1 / p))
    same(mean, 2)
    same(of_real_cells, [2, 2, 2])


@cache
def norms_of_equal_entries():
    def every_form(x, p):
        mean = partial(fcnn.lp_pool, x, 3, p=p, mean=True)
        return fcnn.lp_pool(x, 3, p=p), mean(), mean(stride=1, padding=1)

    return run(lambda x: {p: every_form(x, p) for p in EQUAL_BY}, row(-2, 2, -2))


POWERS, MAGNITUDES = (1, 1.5, 2, 500, 1e9), (1e-200, 1e200)


@MODES
@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("magnitude", MAGNITUDES)
def test_lp_pool_does_not_overflow_or_underflow(p, magnitude, mode):
    y, dx = norms_and_back(mode)[p, magnitude]
    same(y, magnitude * 4 * (1 + 0.75**p) ** (1 / p))
    slope = (1 + 0.75**p) ** (1 / p - 1)
    np.testing.assert_allclose(
        np.ravel(dx), [slope * 0.75 ** (p - 1), slope], rtol=1e-12, atol=1e-300
    )


@cache
def norms_and_back(mode):
    def both(p, x):
        y, pull = jax.vjp(lambda x: fcnn.lp_pool(x, 2, p=p), x)
        return y, *pull(jnp.ones_like(y))

    each = lambda x: {(p, m): both(p, x[m]) for p, m in itertools.product(POWERS, MAGNITUDES)}
    with fcnn.gradients(mode):
        return run(each, {m: m * row(3, 4) for m in MAGNITUDES})


@MODES
def test_gradient_of_the_maximum_norm_goes_to_the_first_maximum(mode):
    largest = partial(fcnn.lp_pool, window=3, p=math.inf)
    with fcnn.gradients(mode):
        y, dx = run(lambda x: (largest(x), grad(largest, x)), row(1, -3, 3, 0, 0, 0))
    same(y, [3, 0])
    same(dx, [0, -1, 0, 0, 0, 0])


EXPONENTS = (1, 1.5, 2, 3, math.inf)


@MODES
@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("mean", [False, True])
def test_gradient_of_lp_pool_at_zero_is_zero(mode, p, mean):
    np.testing.assert_array_equal(slopes_at_zero(mode)[p, mean], 0)


@cache
def slopes_at_zero(mode):
    pool = lambda p, mean: partial(fcnn.lp_pool, window=2, p=p, mean=mean, padding=1)
    options = list(itertools.product(EXPONENTS, (False, True)))
    with fcnn.gradients(mode):
        return run(lambda x: {each: grad(pool(*each), x) for each in options}, row(0, 0, 0))


@MODES
def test_second_derivatives_of_the_euclidean_norm_at_a_zero_entry(mode):
    """At (0, y) the Hessian of the norm is [[1 / y, 0], [0, 0]]."""
    f = lambda x: fcnn.lp_pool(x, 2).sum()
    with fcnn.gradients(mode):
        for h in run(partial(both_hessians, f), row(0, 4)):
            same(h, [0.25, 0, 0, 0])


CURVED = (1, 1.5, 3)


@MODES
@pytest.mark.parametrize("p", CURVED)
def test_second_derivatives_of_lp_pool_are_finite_in_windows_with_padding(mode, p):
    for h in hessians_over_padding(mode)[p]:
        assert np.isfinite(h).all()


@cache
def hessians_over_padding(mode):
    f = lambda p, x: fcnn.lp_pool(x, 2, p=p, padding=1).sum()
    with fcnn.gradients(mode):
        return run(lambda x: {p: both_hessians(partial(f, p), x) for p in CURVED}, row(0, 4, 1))


def test_lp_pool_of_infinity_and_nan():
    every = lambda x: [fcnn.lp_pool(x, 2, p=p) for p in (1, 2, 7.5, math.inf)]
    for y in run(every, row(-np.inf, 1, np.nan, 1)):
        np.testing.assert_array_equal(y.ravel(), [np.inf, np.nan])


@MODES
def test_padding_gets_no_gradient_of_max_pool(mode):
    """If all cells of a window are -inf, the gradient goes to the first cell, not to padding."""
    x, options = jnp.full((1, 4, 1), -jnp.inf), {"stride": 2, "padding": 1}
    gradient = lambda pool: jax.vjp(lambda x: pool(x, 3, **options), x)[1]
    with fcnn.gradients(mode):
        (dx,) = gradient(fcnn.max_pool)(jnp.ones((1, 2, 1)))
    np.testing.assert_array_equal(dx.ravel(), [1, 1, 0, 0])


@MODES
def test_global_avg_pool_of_more_cells_than_the_largest_float16(mode):
    x = jnp.ones((1, 256, 256, 1), jnp.float16)
    with fcnn.gradients(mode):
        y, dx = jax.jit(jax.value_and_grad(lambda x: fcnn.global_avg_pool(x).sum()))(x)
    assert y == 1
    np.testing.assert_array_equal(dx, jnp.full_like(x, 2.0**-16))


def test_indices_are_row_major_on_the_grid():
    x = np.array([[1.0, 9, 2, 0], [3, 0, 0, 8], [7, 7, -5, -6]]).reshape(1, 3, 4, 1)
    y, index = run(lambda x: fcnn.max_pool_with_indices(x, 2, ceil_mode=True), x)
    same(y, [9, 8, 7, -5])
    np.testing.assert_array_equal(index.ravel(), [1, 7, 8, 10])
    assert index.dtype == jnp.int32


def test_indices_of_windows_without_cells_are_negative():
    by = lambda window, x: fcnn.max_pool_with_indices(x, window, padding=1)[1]
    actual = run(lambda x: (by(1, x), by(2, x)), row(-np.inf, -np.inf))
    for index, expected in zip(actual, ([-1, 0, 1, -1], [0, 1]), strict=True):
        np.testing.assert_array_equal(index.ravel(), expected)


def test_unpooling_is_the_gradient_of_max_pooling():
    """The gradients of overlapping windows are added."""
    pool = lambda x: fcnn.max_pool_with_indices(x, 3, stride=1, padding=1)

    def both(x):
        y, pull, index = jax.vjp(pool, x, has_aux=True)
        dy = jnp.cos(y)
        return *pull(dy), fcnn.max_unpool(dy, index, (5, 6))

    x = np.random.default_rng(0).standard_normal((2, 5, 6, 3))
    np.testing.assert_allclose(*run(both, x), rtol=0, atol=1e-14)


@MODES
def test_unpooling_adds_at_shared_indices_and_skips_indices_outside_the_grid(mode):
    unpool = partial(fcnn.max_unpool, size=3)

    def both(x, index, dy):
        y, pull = jax.vjp(lambda x: unpool(x, index), x)
        return y, *pull(dy)

    index = row(1, -1, 3, 1, dtype=jnp.int8)
    with fcnn.gradients(mode):
        y, dx = run(both, row(1, 2, 4, 8), index, row(5, 6, 7))
    same(y, [0, 9, 0])
    same(dx, [6, 0, 0, 6])


def test_unpooling_adds_in_float32():
    x = np.ones((1, 4096, 1), jnp.bfloat16)
    y = run(partial(fcnn.max_unpool, size=1), x, np.zeros(x.shape, int))
    assert y.item() == 4096


def test_adaptive_bins_overlap_if_their_number_does_not_divide_the_cells():
    """Of 5 cells, the 3 bins hold cells 0-1, 1-3 and 3-4. Of 2 cells, they hold 0, 0-1 and 1."""
    mean, most = (
        partial(pool, size=3) for pool in (fcnn.adaptive_avg_pool, fcnn.adaptive_max_pool)
    )
    of_two = run(mean, row(1, 2))
    same(of_two, [1, 1.5, 2])
    all_three = lambda up, down, mixed: (mean(up), most(down), grad(most, mixed))
    x = row(1, 2, 3, 4, 5), row(5, 4, 3, 2, 1), row(3, 2, 1, 4, 0)
    for y, expected in zip(
        run(all_three, *x), ([1.5, 3, 4.5], [5, 4, 2], [1, 0, 0, 2, 0]), strict=True
    ):
        same(y, expected)


@MODES
def test_ties_in_a_bin_go_to_the_first_in_row_major_order(mode):
    """One of the tied entries is in a later row, but in an earlier column."""
    x = np.array([[0.0, 1, 0], [1, 1, 0]]).reshape(1, 2, 3, 1)
    pools = fcnn.global_max_pool, lambda x: fcnn.adaptive_max_pool(x, 1)
    with fcnn.gradients(mode):
        for dx in run(lambda x: [grad(pool, x) for pool in pools], x):
            same(dx, [0, 1, 0, 0, 0, 0])


def test_nan_is_the_maximum_of_its_bin_only():
    both = lambda x: (fcnn.adaptive_max_pool(x, 2), fcnn.global_max_pool(x))
    of_bins, of_all = run(both, row(1, 2, 3, np.nan))
    np.testing.assert_array_equal(of_bins.ravel(), [2, np.nan])
    np.testing.assert_array_equal(of_all.ravel(), [np.nan])


def test_resize_nearest_repeats_and_skips_cells():
    to = fcnn.resize_nearest
    x = row(1, 2), row(1, 2, 3), row(1, 2, 3, 4), row(np.nan, 1, np.inf)
    actual = run(lambda a, b, c, d: (to(a, 4), to(b, 5), to(c, 2), to(d, 3)), *x)
    expected = [1, 1, 2, 2], [1, 1, 2, 2, 3], [1, 3], [np.nan, 1, np.inf]
    for y, values in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(y.ravel(), values)


def test_resize_linear_interpolates_between_centres_and_clips():
    to = fcnn.resize_linear
    back = lambda dy, x: jax.vjp(lambda x: to(x, 4), x)[1](dy)[0]
    x = row(0, 4), row(1, 3, 5, 7), row(1, 3, 5), row(1, 10, 100, 1000)
    actual = run(lambda a, b, c, dy: (to(a, 4), to(b, 2), to(c, 1), back(dy, a)), *x)
    for y, expected in zip(actual, ([0, 1, 3, 4], [2, 6], [3], [33.5, 1077.5]), strict=True):
        same(y, expected)


def test_resize_agrees_with_jax_image():
    """The output sizes are multiples of the input sizes. At other sizes, "nearest" may differ.

    For an output position, jax.image reads the cell at the centre, and fcnn the cell at the start.
    """

    def all_pairs(x):
        for size in ((6, 12), (9, 4)):
            theirs = partial(jax.image.resize, x, (2, *size, 2), antialias=False)
            yield fcnn.resize_nearest(x, size), theirs(method="nearest")
            yield fcnn.resize_linear(x, size), theirs(method="linear")

    x = np.random.default_rng(0).standard_normal((2, 3, 4, 2))
    for ours, theirs in run(lambda x: list(all_pairs(x)), x):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


GLOBAL = {  # the operators, and their results for a list of cells
    fcnn.global_avg_pool: lambda cells: sum(cells) / len(cells),
    fcnn.global_max_pool: max,
}
every_global_pool = pytest.mark.parametrize("op", GLOBAL, ids=lambda op: op.name)


@every_global_pool
@MODES
def test_global_pooling_of_the_cells_of_a_mask_equals_loops(mode, op):
    """NaN at the other cells has no effect. An example without cells gives 0, with gradient 0."""
    rng = np.random.default_rng(0)
    x = rng.permutation(3 * 4 * 5 * 2).reshape(3, 4, 5, 2) / 8.0 - 20
    dy = rng.standard_normal((3, 2))
    for shape in ((3, 4), (3, 4, 5)):
        mask = rng.random(shape) < 0.5
        mask[1] = False
        counts = np.broadcast_to(mask.reshape(*shape, *(1 for _ in x.shape[len(shape) :])), x.shape)
        with fcnn.gradients(mode):
            pull = jax.jit(lambda x, mask: (op(x, mask), *jax.vjp(lambda x: op(x, mask), x)[1](dy)))
            y, dx = pull(np.where(counts, x, np.nan), mask)
        wanted, wanted_dx = np.zeros((3, 2)), np.zeros(x.shape)
        for n, c in itertools.product((0, 2), range(2)):
            cells = [u for u in np.ndindex(4, 5) if counts[n, *u, c]]
            wanted[n, c] = GLOBAL[op]([x[n, *u, c] for u in cells])
            for u in cells:
                share = (
                    1 / len(cells) if op is fcnn.global_avg_pool else x[n, *u, c] == wanted[n, c]
                )
                wanted_dx[n, *u, c] = share * dy[n, c]
        np.testing.assert_allclose(y, wanted, rtol=1e-14)
        np.testing.assert_allclose(dx, wanted_dx, rtol=1e-14)


@MODES
def test_global_max_pool_of_masked_infinities(mode):
    """A maximum of -inf is at the first cell that counts. NaN in such a cell is the maximum."""
    x = np.array([[-np.inf, -np.inf, -np.inf], [7, np.nan, 5], [9, 1, 1]])[..., None]
    mask = np.array([[False, True, True], [True, True, False], [False, True, True]])
    total = lambda x: fcnn.global_max_pool(x, mask).sum()
    with fcnn.gradients(mode):
        y, dx = jax.jit(lambda x: (fcnn.global_max_pool(x, mask), jax.grad(total)(x)))(x)
    np.testing.assert_array_equal(np.ravel(y), [-np.inf, np.nan, 1])
    np.testing.assert_array_equal(dx[..., 0], [[0, 1, 0], [0, 1, 0], [0, 1, 0]])


@MODES
def test_masked_mean_of_more_cells_than_the_largest_float16(mode):
    x, mask = np.ones((1, 70_001, 1), np.float16), np.arange(70_001)[None] > 0
    with fcnn.gradients(mode):
        y, dx = jax.jit(jax.value_and_grad(lambda x: fcnn.global_avg_pool(x, mask).sum()))(x)
    assert y == 1
    np.testing.assert_allclose(dx[0, 1:, 0], np.full(70_000, 1 / 70_000), rtol=4e-3)
    assert dx[0, 0, 0] == 0
