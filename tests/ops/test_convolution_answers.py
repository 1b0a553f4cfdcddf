"""Convolutions and weight standardization: known answers, padding, implementations, tiles."""

import itertools
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from batches import N, exported
from jax.sharding import AxisType, PartitionSpec

import fcnn
from fcnn.ops.convolution.impl import depthwise, taps, tiled, winograd


def normals(*shapes):
    draw = np.random.default_rng(0).standard_normal
    return [draw(shape) for shape in shapes]


def and_back(f, *args):
    """f(*args), and the gradient of f(*args).sum() in the first argument."""
    return jax.jit(lambda *a: (f(*a), jax.grad(lambda *a: f(*a).sum())(*a)))(*args)


def all_three(x, w, dy, **options):
    """y, dx and dw."""
    y, pull = jax.vjp(lambda x, w: fcnn.conv(x, w, **options), x, w)
    return y, *pull(dy)


PADDED = {  # mode -> [1, 2, 3] padded by 2 cells, and the number of copies of each cell
    "zeros": ([0, 0, 1, 2, 3, 0, 0], [1, 1, 1]),
    "reflect": ([3, 2, 1, 2, 3, 2, 1], [2, 3, 2]),
    "edge": ([1, 1, 1, 2, 3, 3, 3], [3, 1, 3]),
    "wrap": ([2, 3, 1, 2, 3, 1, 2], [2, 3, 2]),
}


@pytest.mark.parametrize("mode", PADDED)
def test_padding_modes_and_their_gradient(mode):
    """The gradient of the sum of y is the number of copies of each cell."""
    x, one = np.array([1.0, 2, 3]).reshape(1, 3, 1), np.ones((1, 1, 1))
    y, dx = and_back(lambda x: fcnn.conv(x, one, padding=2, padding_mode=mode), x)
    padded, counts = PADDED[mode]
    np.testing.assert_array_equal(np.ravel(y), padded)
    np.testing.assert_array_equal(np.ravel(dx), counts)


def test_corners_are_padded_along_both_axes():
    x, one = np.arange(4.0).reshape(1, 2, 2, 1), np.ones((1, 1, 1, 1))
    y = jax.jit(partial(fcnn.conv, padding=1, padding_mode="wrap"))(x, one)
    np.testing.assert_array_equal(y[0, :, :, 0], np.pad(x[0, :, :, 0], 1, mode="wrap"))


def test_wrapped_convolution_commutes_with_rolling():
    x, w = normals((2, 5, 6, 3), (3, 2, 3, 4))
    f = jax.jit(partial(fcnn.conv, padding="same", padding_mode="wrap"))
    roll = lambda a: np.roll(a, (2, -1), (1, 2))
    np.testing.assert_allclose(f(roll(x), w), roll(f(x, w)), atol=1e-12)


def test_fft_with_a_large_window():
    x, w = normals((2, 40, 37, 2), (31, 20, 2, 2))
    by = lambda impl: jax.jit(lambda x, w: fcnn.conv(x, w, padding="same", impl=impl))(x, w)
    np.testing.assert_allclose(by("fft"), by("lax"), atol=1e-10)


@pytest.mark.parametrize(("dtype", "within"), [(jnp.float32, 2e-5), (jnp.bfloat16, 4e-3)])
@pytest.mark.parametrize("impl", ["lax_forward", "taps", "winograd", "fft"])
def test_implementations_are_accurate_in_float32_and_bfloat16(impl, dtype, within):
    """`within` is relative to the largest entry. bfloat16 has a relative rounding error of 2^-9."""
    x, w = (a.astype(dtype) for a in normals((2, 12, 12, 64), (3, 3, 64, 8)))
    exact = y_and_dw(x.astype(float), w.astype(float), impl="lax")
    for a, b in zip(y_and_dw(x, w, impl=impl), exact, strict=True):
        assert np.abs(np.asarray(a, float) - b).max() <= within * np.abs(b).max()


@partial(jax.jit, static_argnames="impl")
def y_and_dw(x, w, impl):
    y, pull = jax.vjp(lambda w: fcnn.conv(x, w, impl=impl), w)
    return y, *pull(jnp.ones_like(y))


# Shapes of x and w, and options. One example exceeds a tile of 500 bytes, one row of it does not.
CUT = {
    "an odd row left over": ((2, 13, 5, 4), (3, 3, 4, 6), {"padding": 1}),
    "groups": ((3, 16, 6, 4), (3, 3, 2, 6), {"padding": "full", "groups": 2}),
    "stride": ((2, 17, 6, 4), (3, 2, 4, 6), {"padding": ((1, 0), (0, 2)), "stride": 2}),
    "cells between windows": ((1, 20, 4, 4), (2, 2, 4, 6), {"stride": 3}),
    "a margin of more rows than a strip": ((2, 19, 4, 4), (5, 2, 4, 3), {"dilation": 3}),
    "one axis": ((2, 40, 4), (3, 4, 6), {"padding": 1}),
    "three axes": ((1, 9, 4, 5, 4), (3, 2, 2, 4, 6), {"padding": 1}),
    "three axes of 3": ((1, 9, 4, 5, 4), (3, 3, 3, 4, 6), {"padding": 1}),
}


WINOGRAD = ("an odd row left over", "groups", "three axes of 3")


@pytest.mark.parametrize(
    ("impl", "case"),
    [
        *itertools.product(["tiled", "taps"], [case for case in CUT if case != "three axes of 3"]),
        *itertools.product(["winograd"], WINOGRAD),
    ],
)
def test_convolution_by_strips_equals_convolution_of_the_whole_image(impl, case, monkeypatch):
    for module in (tiled, taps, winograd):
        monkeypatch.setattr(module, "TILE", 500)
    args, options, expected = uncut(case)
    lowered = jax.jit(partial(all_three, **options, impl=impl)).lower(*args)
    assert "stablehlo.while" in lowered.as_text()
    for a, b in zip(lowered.compile()(*args), expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


@pytest.mark.parametrize(("least", "loops"), [(0, True), (10_000, False)])
def test_depthwise_dw_is_a_loop_over_large_blocks(least, loops, monkeypatch):
    """Ten rows are two blocks of five, and three examples without a loop are one tile."""
    monkeypatch.setattr(depthwise, "LEAST", least)
    monkeypatch.setattr(taps, "MAX_EXAMPLES", 3)
    x, w, dy = normals((3, 10, 4, 2), (3, 2, 1, 2), (3, 10, 4, 2))
    options = {"groups": 2, "padding": "same"}
    lowered = jax.jit(partial(all_three, **options, impl="taps")).lower(x, w, dy)
    assert ("stablehlo.while" in lowered.as_text()) == loops
    expected = all_three(x, w, dy, **options, impl="lax")
    for a, b in zip(lowered.compile()(x, w, dy), expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


@cache
def uncut(case):
    """(x, w, dy), the options, and the results of "lax", which does not cut images into strips."""
    *shapes, options = CUT[case]
    f = partial(fcnn.conv, **options, impl="lax")
    y = jax.eval_shape(f, *map(jnp.zeros, shapes))
    args = normals(*shapes, y.shape)
    return args, options, jax.jit(partial(all_three, **options, impl="lax"))(*args)


def test_convolution_of_an_empty_image():
    """The windows read only padding, so y and all gradients are 0."""
    x, w = np.zeros((1, 0, 2)), np.ones((3, 2, 2))

    @jax.jit
    def run(x, w):
        f = lambda impl: lambda x, w: fcnn.conv(x, w, padding=2, impl=impl)
        gradients = lambda f: jax.vjp(f, x, w)[1](jnp.ones((1, 2, 2)))
        return {impl: (f(impl)(x, w), *gradients(f(impl))) for impl in fcnn.conv.impls}

    for y, dx, dw in run(x, w).values():
        assert dx.shape == x.shape
        np.testing.assert_array_equal(y, np.zeros((1, 2, 2)))
        np.testing.assert_array_equal(dw, np.zeros_like(w))


def test_an_unsupported_implementation_is_an_error():
    x, w = jnp.ones((1, 6, 6, 1)), jnp.ones((5, 5, 1, 1))
    with (
        fcnn.implementations(conv="winograd"),
        pytest.raises(ValueError, match=r"not windows of \(5, 5\) at stride \(1, 1\)"),
    ):
        fcnn.conv(x, w)


def test_conv_transpose_of_one_cell_is_the_kernel_not_flipped():
    w = np.arange(6.0).reshape(2, 3, 1, 1)
    y = jax.jit(fcnn.conv_transpose)(np.ones((1, 1, 1, 1)), w)
    np.testing.assert_array_equal(y[0], w[:, :, 0])


def test_conv_transpose_interpolates_with_a_tent_kernel():
    """At stride 2 a tent kernel keeps every cell, and inserts the mean of each two neighbours."""
    x, tent = np.array([1.0, 2]).reshape(1, 2, 1), np.array([0.5, 1, 0.5]).reshape(3, 1, 1)
    expected = {
        (): [0.5, 1, 1.5, 2, 1],
        (("padding", 1), ("output_padding", 1)): [1, 1.5, 2, 1],
        (("padding", "same"),): [0.5, 1, 1.5, 2],
        (("padding", "same_lower"),): [1, 1.5, 2, 1],
    }
    up = lambda options, *a: fcnn.conv_transpose(*a, stride=2, **dict(options)).ravel()
    actual = jax.jit(lambda *a: [up(options, *a) for options in expected])(x, tent)
    for y, values in zip(actual, expected.values(), strict=True):
        np.testing.assert_array_equal(y, values)


def test_conv_and_conv_transpose_with_same_padding_have_inverse_shapes():
    for size, stride, window in ((1, 1, 1), (3, 2, 3), (4, 3, 2), (2, 3, 1), (5, 2, 4)):
        x, w = jnp.ones((1, size, 1)), jnp.ones((window, 1, 1))
        options = {"stride": stride, "padding": "same"}
        y = jax.eval_shape(partial(fcnn.conv_transpose, **options), x, w)
        assert y.shape == (1, size * stride, 1)
        assert jax.eval_shape(partial(fcnn.conv, **options), y, w).shape == x.shape


def test_separable_conv_equals_a_convolution_with_the_product_of_its_kernels():
    x, depthwise, pointwise = normals((2, 6, 5, 3), (3, 2, 1, 6), (6, 4))
    options = {"stride": (2, 1), "padding": "same", "dilation": (1, 2)}
    w = np.einsum("ijcm,cmo->ijco", depthwise.reshape(3, 2, 3, 2), pointwise.reshape(3, 2, 4))
    expected = jax.jit(partial(fcnn.conv, **options))(x, w)
    actual = jax.jit(partial(fcnn.separable_conv, **options))(x, depthwise, pointwise)
    np.testing.assert_allclose(actual, expected, atol=1e-12)


def test_weight_standardization_gives_mean_0_and_variance_1():
    """The result does not change if a filter is multiplied by 3 and a constant is added to it."""
    (w,) = normals((3, 3, 4, 5))
    standard = jax.jit(partial(fcnn.weight_standardization, eps=1e-12))
    y = np.asarray(standard(w))
    np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(y.var((0, 1, 2)), 1, atol=1e-9)
    np.testing.assert_allclose(standard(1e5 + 3 * w), y, atol=1e-8)


def test_gradient_of_weight_standardization_is_orthogonal_to_ones_and_to_w():
    w, dy = normals((3, 4, 5), (3, 4, 5))
    _, dw = standardized_and_back(w, dy, eps=1e-14)
    np.testing.assert_allclose(dw.sum((0, 1)), 0, atol=1e-12)
    np.testing.assert_allclose((dw * w).sum((0, 1)), 0, atol=1e-11)


def test_weight_standardization_of_equal_entries_is_0():
    w, (dy,) = np.full((2, 3, 4), 7.0), normals((2, 3, 4))
    y, dw = standardized_and_back(w, dy, eps=1e-4)
    np.testing.assert_array_equal(y, 0)
    np.testing.assert_allclose(dw, 100 * (dy - dy.mean((0, 1), keepdims=True)), rtol=1e-12)


def standardized_and_back(w, dy, eps):
    def run(w, dy):
        y, pull = jax.vjp(partial(fcnn.weight_standardization, eps=eps), w)
        return y, *pull(dy)

    return map(np.asarray, jax.jit(run)(w, dy))


@pytest.mark.parametrize("offset", [0.0, 10.0])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_error_of_winograd_is_at_most_4_times_the_error_of_direct_sums(rank, offset):
    """The errors are measured in float32. With an offset of 10 in x, large terms cancel.

    On CPU, "auto" may use Winograd.
    """
    image, kernel = (2, *(8,) * rank, 32), (*(3,) * rank, 32, 32)
    x, w, dy = normals(image, kernel, image)
    single = [a.astype(np.float32) for a in (offset + x, w, dy)]
    exact = same_and_back(*(a.astype(float) for a in single), impl="lax")

    def errors(impl):
        actual = same_and_back(*single, impl=impl)
        return [np.abs(np.asarray(a, float) - b).mean() for a, b in zip(actual, exact, strict=True)]

    for ours, direct in zip(errors("winograd"), errors("im2col"), strict=True):
        assert 0 < ours <= 4 * direct


same_and_back = jax.jit(partial(all_three, padding="same"), static_argnames="impl")


@pytest.mark.parametrize("impl", ["auto", "tiled", "taps", "winograd"])
def test_tiles_on_two_devices(impl, monkeypatch):
    """Each device loops over the tiles of its examples. dw is the sum over both devices."""
    for module in (tiled, taps, winograd):
        monkeypatch.setattr(module, "TILE", 500)
    x, w, dy = normals((6, 5, 4, 4), (3, 3, 4, 6), (6, 5, 4, 6))
    run = partial(all_three, padding=1, impl=impl)
    split, whole = PartitionSpec("d"), PartitionSpec()
    mesh = jax.make_mesh((2,), ("d",), axis_types=(AxisType.Auto,))
    specs = {"in_specs": (split, whole, split), "out_specs": (split, split, whole)}
    actual = jax.jit(jax.shard_map(run, mesh=mesh, **specs))(x, w, dy)
    expected = jax.jit(partial(all_three, padding=1, impl="lax"))(x, w, dy)
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


STRIPS = pytest.mark.all(
    "1 s for each test; the first tier tests tiles of whole images, and strips of a fixed batch"
)


@pytest.mark.parametrize("bytes_of_tile", [30_000, pytest.param(500, marks=STRIPS)])
@pytest.mark.parametrize("impl", ["tiled", "taps", "taps, depthwise", "winograd"])
def test_tiles_of_a_symbolic_batch(impl, bytes_of_tile, monkeypatch):
    """An exported program computes the number of tiles from the number of examples."""
    for module in (tiled, taps, winograd):
        monkeypatch.setattr(module, "TILE", bytes_of_tile)
    impl, *depthwise = impl.split(", ")
    groups = 4 if depthwise else 1
    run = partial(all_three, padding=1, groups=groups)
    w, batch = normals((3, 3, 4 // groups, 4))[0], lambda n: normals((n, 13, 5, 4), (n, 13, 5, 4))
    x, dy = (jax.ShapeDtypeStruct((N, *a.shape[1:]), a.dtype) for a in batch(1))
    program = jax.export.export(jax.jit(partial(run, impl=impl)))(x, w, dy)
    assert "stablehlo.while" in program.mlir_module()

    @jax.jit
    def both(*batches):
        each = [(x, w, dy) for x, dy in batches]
        return [(program.call(*args), run(*args, impl="lax")) for args in each]

    for actual, expected in both(batch(1), batch(23)):
        for a, b in zip(actual, expected, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-12)


def test_per_example_gradients_of_a_symbolic_batch():
    """Gradients of w by "lax" would be a convolution with a symbolic number of groups."""
    x, w = normals((5, 6, 2), (3, 2, 3))
    one = lambda x, w, impl: jnp.sin(fcnn.conv(x[None], w, impl=impl)).sum()
    each = lambda impl: jax.vmap(jax.grad(partial(one, impl=impl), 1), (0, None))
    export = lambda impl: exported(each(impl), jax.ShapeDtypeStruct((N, 6, 2), float), w)
    for impl in ("auto", "lax"):
        with pytest.raises(NotImplementedError, match="batch_group_count"):
            export(impl)
    program = export("lax_forward")
    actual, expected = jax.jit(lambda x, w: (program(x, w), each("lax")(x, w)))(x, w)
    np.testing.assert_allclose(actual, expected, atol=1e-12)
