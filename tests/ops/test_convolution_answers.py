"""Borders, transposed and separable convolution, and weight standardization, worked out by hand."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn
from fcnn.ops.convolution import rows, shifts, winograd

BORDERS = {
    "zeros": ([0, 0, 1, 2, 3, 0, 0], [1, 1, 1]),
    "reflect": ([3, 2, 1, 2, 3, 2, 1], [2, 3, 2]),
    "edge": ([1, 1, 1, 2, 3, 3, 3], [3, 1, 3]),
    "wrap": ([2, 3, 1, 2, 3, 1, 2], [2, 3, 2]),
}


@pytest.mark.parametrize("mode", BORDERS)
def test_what_a_border_holds_and_gives_back(mode):
    """The gradient of a sum counts how often each cell was read."""
    x, one = jnp.array([1.0, 2, 3]).reshape(1, 3, 1), jnp.ones((1, 1, 1))
    f = lambda x: fcnn.conv(x, one, padding=2, padding_mode=mode)
    padded, counts = BORDERS[mode]
    np.testing.assert_array_equal(f(x).ravel(), padded)
    np.testing.assert_array_equal(jax.grad(lambda x: f(x).sum())(x).ravel(), counts)


def test_corners_read_along_both_axes():
    x = jnp.arange(4.0).reshape(1, 2, 2, 1)
    y = fcnn.conv(x, jnp.ones((1, 1, 1, 1)), padding=1, padding_mode="wrap")[0, :, :, 0]
    np.testing.assert_array_equal(y, np.pad(x[0, :, :, 0], 1, mode="wrap"))


def test_on_a_ring_convolution_commutes_with_going_round(key):
    x, w = jax.random.normal(key, (2, 5, 6, 3)), jax.random.normal(key, (3, 2, 3, 4))
    f = lambda x: fcnn.conv(x, w, padding="same", padding_mode="wrap")
    turn = lambda a: jnp.roll(a, (2, -1), (1, 2))
    np.testing.assert_allclose(f(turn(x)), turn(f(x)), atol=1e-12)


def test_a_large_window_by_fourier(key):
    x, w = jax.random.normal(key, (2, 40, 37, 2)), jax.random.normal(key, (31, 20, 2, 2))
    by = lambda impl: jax.jit(lambda x, w: fcnn.conv(x, w, padding="same", impl=impl))(x, w)
    np.testing.assert_allclose(by("fft"), by("lax"), atol=1e-10)


@pytest.mark.parametrize(("dtype", "within"), [(jnp.float32, 2e-5), (jnp.bfloat16, 4e-3)])
@pytest.mark.parametrize("impl", ["direct", "taps", "winograd", "fft"])
def test_short_numbers_lose_no_more_than_their_own_rounding(impl, dtype, within, key):
    """`within` is relative to the largest entry; bfloat16 rounds by 2^-9 of each."""
    x, w = jax.random.normal(key, (2, 12, 12, 64)), jax.random.normal(key, (3, 3, 64, 8))
    x, w = x.astype(dtype), w.astype(dtype)

    def both(x, w, impl):
        y, pull = jax.vjp(lambda w: fcnn.conv(x, w, impl=impl), w)
        return y, *pull(jnp.ones_like(y))

    short = jax.jit(partial(both, impl=impl))(x, w)
    exact = jax.jit(partial(both, impl="lax"))(x.astype(float), w.astype(float))
    for a, b in zip(short, exact, strict=True):
        assert np.abs(np.asarray(a, float) - b).max() <= within * np.abs(b).max()


CUT = {  # x, w and options, whose images leave a cache of 500 bytes, but one row of them does not
    "an odd row left over": ((2, 13, 5, 4), (3, 3, 4, 6), {"padding": 1}),
    "groups": ((3, 16, 6, 4), (3, 3, 2, 6), {"padding": "full", "groups": 2}),
    "stride": ((2, 17, 6, 4), (3, 2, 4, 6), {"padding": ((1, 0), (0, 2)), "stride": 2}),
    "cells between windows": ((1, 20, 4, 4), (2, 2, 4, 6), {"stride": 3}),
    "a margin of more rows than a strip": ((2, 19, 4, 4), (5, 2, 4, 3), {"dilation": 3}),
    "one axis": ((2, 40, 4), (3, 4, 6), {"padding": 1}),
    "three axes": ((1, 9, 4, 5, 4), (3, 3, 3, 4, 6), {"padding": 1}),
}


@pytest.mark.parametrize(
    ("impl", "case"),
    [
        *itertools.product(["tiled", "taps"], CUT),
        *itertools.product(["winograd"], ["an odd row left over", "groups", "three axes"]),
    ],
)
def test_an_image_cut_in_strips_is_the_image(impl, case, key, monkeypatch):
    *shapes, options = CUT[case]
    for module in (rows, shifts, winograd):
        monkeypatch.setattr(module, "TILE", 500)
    x, w = (jax.random.normal(k, s) for k, s in zip(jax.random.split(key), shapes, strict=True))
    by = lambda impl: jax.vjp(lambda x, w: fcnn.conv(x, w, impl=impl, **options), x, w)
    (y, pull), (expected, expected_pull) = by(impl), by("lax")
    np.testing.assert_allclose(y, expected, atol=1e-12)
    dy = jax.random.normal(key, y.shape)
    for a, b in zip(pull(dy), expected_pull(dy), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_one_implementation_for_all_refuses_what_it_cannot_serve():
    x, w = jnp.ones((1, 6, 6, 1)), jnp.ones((5, 5, 1, 1))
    with (
        fcnn.implementations(conv="winograd"),
        pytest.raises(ValueError, match=r"not of \(5, 5\) at stride \(1, 1\)"),
    ):
        fcnn.conv(x, w)


def test_one_cell_becomes_the_kernel_not_flipped():
    w = jnp.arange(6.0).reshape(2, 3, 1, 1)
    np.testing.assert_array_equal(fcnn.conv_transpose(jnp.ones((1, 1, 1, 1)), w)[0], w[:, :, 0])


def test_upsampling_between_cells():
    """At stride 2 a tent kernel keeps every cell and puts the mean of two between them."""
    x, tent = jnp.array([1.0, 2]).reshape(1, 2, 1), jnp.array([0.5, 1, 0.5]).reshape(3, 1, 1)
    up = lambda **how: fcnn.conv_transpose(x, tent, stride=2, **how).ravel()
    np.testing.assert_array_equal(up(), [0.5, 1, 1.5, 2, 1])
    np.testing.assert_array_equal(up(padding=1, output_padding=1), [1, 1.5, 2, 1])
    np.testing.assert_array_equal(up(padding="same"), [0.5, 1, 1.5, 2])
    np.testing.assert_array_equal(up(padding="same_lower"), [1, 1.5, 2, 1])


def test_same_gives_what_convolution_takes_back():
    for size, stride, window in ((1, 1, 1), (3, 2, 3), (4, 3, 2), (2, 3, 1), (5, 2, 4)):
        x, w = jnp.ones((1, size, 1)), jnp.ones((window, 1, 1))
        how = {"stride": stride, "padding": "same"}
        y = jax.eval_shape(partial(fcnn.conv_transpose, **how), x, w)
        assert y.shape == (1, size * stride, 1)
        assert jax.eval_shape(partial(fcnn.conv, **how), y, w).shape == x.shape


def test_a_separable_convolution_is_a_convolution_of_low_rank(key):
    x, depthwise, pointwise = (
        jax.random.normal(jax.random.fold_in(key, i), shape)
        for i, shape in enumerate([(2, 6, 5, 3), (3, 2, 1, 6), (6, 4)])
    )
    how = {"stride": (2, 1), "padding": "same", "dilation": (1, 2)}
    w = jnp.einsum("ijcm,cmo->ijco", depthwise.reshape(3, 2, 3, 2), pointwise.reshape(3, 2, 4))
    wanted = fcnn.conv(x, w, **how)
    actual = fcnn.separable_conv(x, depthwise, pointwise, **how)
    np.testing.assert_allclose(actual, wanted, atol=1e-12)


def test_standardized_filters(key):
    """Mean 0, variance 1, whatever was added to a filter or it was multiplied by."""
    w = jax.random.normal(key, (3, 3, 4, 5))
    y = fcnn.weight_standardization(w, eps=1e-12)
    np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(y.var((0, 1, 2)), 1, atol=1e-9)
    far = 1e5 + 3 * w
    np.testing.assert_allclose(fcnn.weight_standardization(far, eps=1e-12), y, atol=1e-8)


def test_the_gradient_of_a_standardized_filter_moves_neither_its_mean_nor_its_size(key):
    w, dy = jax.random.normal(key, (3, 4, 5)), jax.random.normal(jax.random.key(1), (3, 4, 5))
    _, pull = jax.vjp(lambda w: fcnn.weight_standardization(w, eps=1e-14), w)
    (dw,) = pull(dy)
    np.testing.assert_allclose(dw.sum((0, 1)), 0, atol=1e-12)
    np.testing.assert_allclose((dw * w).sum((0, 1)), 0, atol=1e-11)


def test_a_filter_of_equal_entries_gives_zeros(key):
    w, dy = jnp.full((2, 3, 4), 7.0), jax.random.normal(key, (2, 3, 4))
    y, pull = jax.vjp(lambda w: fcnn.weight_standardization(w, eps=1e-4), w)
    np.testing.assert_array_equal(y, 0)
    np.testing.assert_allclose(*pull(dy), 100 * (dy - dy.mean((0, 1), keepdims=True)), rtol=1e-12)


@pytest.mark.parametrize("offset", [0.0, 10.0])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_winograd_errs_at_most_four_times_as_far_as_direct_sums(rank, offset, key):
    """In float32, against float64: `auto` takes it on CPU. An offset makes large sums cancel."""
    kx, kw, kd = jax.random.split(key, 3)
    x = offset + jax.random.normal(kx, (2, *(8,) * rank, 32))
    w, dy = jax.random.normal(kw, (*(3,) * rank, 32, 32)), jax.random.normal(kd, x.shape)

    def errors(impl):
        def all_three(x, w, dy, impl=impl):
            y, pull = jax.vjp(partial(fcnn.conv, padding="same", impl=impl), x, w)
            return y, *pull(dy)

        single = [a.astype(jnp.float32) for a in (x, w, dy)]
        exact = all_three(*(a.astype(float) for a in single), impl="lax")
        found = jax.jit(all_three)(*single)
        return [np.abs(np.asarray(a, float) - b).mean() for a, b in zip(found, exact, strict=True)]

    for ours, direct in zip(errors("winograd"), errors("im2col"), strict=True):
        assert 0 < ours <= 4 * direct
