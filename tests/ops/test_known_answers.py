"""Known values, limits, and slopes at kinks."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import fcnn
from fcnn.ops import Shape
from fcnn.ops.convolution.impl import tiled
from fcnn.ops.registration import RULE


def grad(f, x):
    return jax.jit(jax.grad(lambda x: f(x).sum()))(x)


def zeros(*shape):
    """The shape and dtype of a float array."""
    return jax.ShapeDtypeStruct(shape, float)


def row(*values):
    return np.array(values, float).reshape(1, -1, 1)


def test_output_size_of_a_rectangle():
    y = jax.eval_shape(partial(fcnn.conv, stride=2), zeros(1, 7, 5, 1), zeros(3, 3, 1, 1))
    assert y.shape == (1, 3, 2, 1)


def test_same_padding_at_stride_2_adds_one_cell_at_the_high_end():
    """TensorFlow pads in this way too. PyTorch networks pad k // 2 cells at both ends instead."""
    strided, one = partial(fcnn.conv, stride=2), partial(fcnn.conv, padding="causal")
    same = partial(strided, padding="same")
    run = lambda *a: (same(*a), strided(*a, padding="same_lower"), one(*a))
    found = jax.jit(run)(np.arange(4.0).reshape(1, 4, 1), np.ones((3, 1, 1)))
    for y, wanted in zip(found, ([3, 5], [1, 6], [0, 1, 3, 6]), strict=True):
        np.testing.assert_array_equal(np.ravel(y), wanted)


def test_the_gradient_of_a_convolution_is_a_full_correlation():
    back = lambda x, w, dy: jax.vjp(lambda x: fcnn.conv(x, w), x)[1](dy)
    (dx,) = jax.jit(back)(row(0, 0, 0), row(1, 2).reshape(2, 1, 1), row(10, 1))
    np.testing.assert_array_equal(np.ravel(dx), [10, 21, 2])


def test_tiled_conv_holds_one_tile_of_rows(monkeypatch):
    """The program loops over tiles if the rows of im2col exceed `TILE` bytes."""
    by_tiles = partial(fcnn.conv, padding="same", impl="tiled")
    text = lambda n: jax.jit(by_tiles).lower(zeros(n, 16, 16, 4), zeros(3, 3, 4, 2)).as_text()
    assert "stablehlo.while" in text(256)
    assert "256x16x16x12x" not in text(256)
    monkeypatch.setattr(tiled, "TILE", 2**40)
    assert "stablehlo.while" not in text(255)  # JAX has cached the program of n = 256
    assert "255x16x16x12x" in text(255)


def test_implementations_can_be_nested():
    args = zeros(1, 4, 4, 1), zeros(3, 3, 1, 1)
    uses_lax = lambda: "stablehlo.convolution" in jax.jit(fcnn.conv).lower(*args).as_text()
    with fcnn.implementations(conv="lax"):
        assert uses_lax()
        with fcnn.implementations(conv="im2col"):
            assert not uses_lax()
        assert uses_lax()
    with pytest.raises(ValueError, match=r"unknown impl 'fast' of conv; expected one of"):
        fcnn.implementations(conv="fast")
    with pytest.raises(ValueError, match="unknown operator 'dense'; expected one of"):
        fcnn.implementations(dense="lax")


def test_auto_is_one_program_for_every_platform():
    export = jax.export.export(jax.jit(fcnn.conv), platforms=["cpu", "cuda", "tpu"])
    run = export(zeros(1, 4, 4, 1), zeros(3, 3, 1, 1))
    assert "stablehlo.case" in run.mlir_module()
    assert "stablehlo.convolution" in run.mlir_module()


def test_col2im_of_im2col_counts_the_windows_of_each_cell():
    run = lambda x: fcnn.col2im(fcnn.im2col(x, 3), 4, 3)
    np.testing.assert_array_equal(np.ravel(jax.jit(run)(row(1, 1, 1, 1))), [1, 2, 2, 1])


@pytest.mark.parametrize("mode", ["hand", "autodiff"])
def test_max_pool_gradient_of_ties_goes_to_the_first(mode):
    with fcnn.gradients(mode):
        g = grad(lambda x: fcnn.max_pool(x, 2), np.ones((1, 4, 4, 1)))
    np.testing.assert_array_equal(g[0, :, :, 0], np.kron(np.ones((2, 2)), [[1, 0], [0, 0]]))


def test_max_pool_propagates_nan_and_ignores_padding():
    run = lambda *x: (fcnn.max_pool(x[0], 2), fcnn.max_pool(x[1], 2, padding=1))
    nan, negative = jax.jit(run)(row(1, np.nan, 2, 3), row(-2, -3))
    np.testing.assert_array_equal(np.ravel(nan), [np.nan, 3])
    np.testing.assert_array_equal(np.ravel(negative), [-2, -3])


def test_avg_pool_excludes_padding_unless_count_include_pad():
    pool = partial(fcnn.avg_pool, window=2, padding=1)
    run = lambda x: (pool(x), pool(x, count_include_pad=True))
    excluded, included = jax.jit(run)(row(1, 1))
    np.testing.assert_array_equal(np.ravel(excluded), [1, 1])
    np.testing.assert_array_equal(np.ravel(included), [0.5, 0.5])


def test_lp_pool_approaches_the_maximum_as_p_grows():
    run = lambda x: [fcnn.lp_pool(x, 2, p=p) for p in (1, 2, 200)]
    np.testing.assert_allclose(np.ravel(jax.jit(run)(row(3, -4))), [7, 5, 4], rtol=1e-12)


def test_lp_pool_propagates_infinity_and_nan():
    y = jax.jit(lambda x: fcnn.lp_pool(x, 2))(row(-np.inf, 1, np.nan, 1))
    np.testing.assert_array_equal(np.ravel(y), [np.inf, np.nan])


POWERS = (1, 1.5, 2, 3)


@pytest.mark.parametrize("mode", ["hand", "autodiff"])
@pytest.mark.parametrize("p", POWERS)
def test_lp_pool_has_slope_0_at_0(mode, p):
    np.testing.assert_array_equal(slopes_at_zero(mode)[p], 0)


@cache
def slopes_at_zero(mode):
    slope = lambda p, x: jax.grad(lambda x: fcnn.lp_pool(x, 2, p=p).sum())(x)
    with fcnn.gradients(mode):
        return jax.jit(lambda x: {p: slope(p, x) for p in POWERS})(row(0, 0, 0, 0))


@pytest.mark.parametrize("mode", ["hand", "autodiff"])
def test_relu_has_slope_0_at_0(mode):
    with fcnn.gradients(mode):
        g = grad(fcnn.relu, np.array([-1.0, -0.0, 0.0, 1.0]))
    np.testing.assert_array_equal(g, [0, 0, 0, 1])


def test_activations_in_the_limit():
    far = np.array([-np.inf, -1e9, 1e9, np.inf])
    masked, log_masked = [1e9, 0, -np.inf], [0, -np.inf]

    def run(far, masked, log_masked):
        each = [f(far) for f in (fcnn.sigmoid, fcnn.tanh, fcnn.relu)]
        return *each, fcnn.softmax(masked), fcnn.log_softmax(log_masked)

    wanted = [0, 0, 1, 1], [-1, -1, 1, 1], [0, 0, 1e9, np.inf], [1, 0, 0], [0, -np.inf]
    found = jax.jit(run)(far, *map(np.array, (masked, log_masked)))
    for y, limit in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(y, limit)


def test_relu_propagates_nan():
    np.testing.assert_array_equal(jax.jit(fcnn.relu)(np.array([np.nan, -1.0])), [np.nan, 0])


INTEGERS = (jnp.uint8, jnp.int8, jnp.int16, jnp.int32, jnp.int64)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_labels_of_any_integer_type(dtype):
    logits, losses = losses_by_type()
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(
        losses[INTEGERS.index(dtype)], -np.log(p[np.arange(2), [3, 40]]), rtol=1e-12
    )


@cache
def losses_by_type():
    """Logits, and their losses for labels of every integer type."""
    logits = np.random.default_rng(0).standard_normal((2, 300))
    labels = [np.array([3, 40], dtype) for dtype in INTEGERS]
    run = lambda logits, labels: [fcnn.softmax_cross_entropy(logits, each) for each in labels]
    return logits, jax.jit(run)(logits, labels)


@pytest.mark.parametrize("mode", ["hand", "autodiff"])
def test_a_label_out_of_range_has_no_gradient(mode):
    with fcnn.gradients(mode):
        g = grad(lambda z: fcnn.softmax_cross_entropy(z, np.array([2])), np.zeros((1, 2)))
    np.testing.assert_array_equal(g, 0)


def test_softmax_has_the_jacobian_diag_p_minus_p_p():
    x = np.array([0.3, -1.0, 2.0])
    p = np.exp(x) / np.exp(x).sum()
    jacobian = jax.jit(jax.jacrev(fcnn.softmax))(x)
    np.testing.assert_allclose(jacobian, np.diag(p) - np.outer(p, p), atol=1e-15)


def loss_and_gradient(logits, labels):
    def run(logits, labels):
        loss, pull = jax.vjp(lambda z: fcnn.softmax_cross_entropy(z, labels), logits)
        return loss, *pull(jnp.ones_like(loss))

    return jax.jit(run)(logits, labels)


def test_cross_entropy_of_equal_logits_is_log_k_and_its_gradient_is_p_minus_t():
    loss, dz = loss_and_gradient(np.zeros((2, 4)), np.array([0, 3]))
    np.testing.assert_allclose(loss, np.log(4), rtol=1e-15)
    np.testing.assert_allclose(dz, 0.25 - np.eye(4)[[0, 3]], atol=1e-15)


def test_cross_entropy_of_extreme_logits_and_labels_out_of_range():
    logits = np.array([[1e9, 0.0], [-np.inf, 0.0], [0.0, 0.0], [0.0, 0.0]])
    loss = jax.jit(fcnn.softmax_cross_entropy)(logits, np.array([1, 1, 2, -1]))
    np.testing.assert_array_equal(loss, [1e9, 0, np.nan, np.nan])


def test_squared_error_is_half_the_square():
    y, t = np.array([[1.0, 2.0], [0.0, 0.0]]), np.array([[0.0, 0.0], [3.0, 4.0]])
    np.testing.assert_array_equal(jax.jit(fcnn.squared_error)(y, t), [2.5, 12.5])
    np.testing.assert_array_equal(grad(lambda y: fcnn.squared_error(y, t), y), y - t)


def test_dropout_rate_and_mean(key):
    drop = partial(fcnn.dropout, rate=0.3)
    run = lambda x, key: (drop(x, key), jax.grad(lambda x: drop(x, key).sum())(x))
    y, dx = map(np.asarray, jax.jit(run)(np.ones(100_000), key))
    assert abs((y == 0).mean() - 0.3) < 0.01
    assert abs(y.mean() - 1) < 0.01
    np.testing.assert_array_equal(dx, y)


def test_dropout_saves_one_byte_per_entry(key):
    _, saved = jax.eval_shape(partial(fcnn.dropout.fwd_rule, rate=0.5), zeros(10), key)
    assert [a.dtype for a in jax.tree.leaves(saved)] == [bool]


def test_batch_norm_statistics():
    x, one, zero = np.array([[1.0], [3.0]]), np.ones(1), np.zeros(1)
    train = partial(fcnn.batch_norm, train=True, momentum=0.9, eps=1e-12)
    y, mean, var = jax.jit(train)(x, one, zero, zero, one)
    np.testing.assert_allclose(np.ravel(y), [-1, 1], rtol=1e-9)
    np.testing.assert_allclose([*mean, *var], [0.1 * 2, 0.9 + 0.1 * 1], rtol=1e-15)
    evaluate = partial(fcnn.batch_norm, train=False, eps=1e-12)
    y, *_ = jax.jit(evaluate)(x, one, zero, 2 * one, 4 * one)
    np.testing.assert_allclose(np.ravel(y), [-0.5, 0.5], rtol=1e-9)


def test_variance_far_from_0():
    """E[x²] - E[x]² would lose every digit in float32."""
    x = np.array([[1e4, 1e4 + 1, 1e4 + 2]], np.float32)
    y = jax.jit(fcnn.layer_norm)(x, np.ones(3, np.float32), np.zeros(3, np.float32))
    np.testing.assert_allclose(y[0], [-np.sqrt(1.5), 0, np.sqrt(1.5)], rtol=1e-4)


def test_long_sums_in_half_precision_do_not_stall():
    """In bfloat16 a sum of 4,096 ones stops at 256, so the operators sum in float32."""
    ones = lambda *shape: np.ones(shape, jnp.bfloat16)
    conv = lambda x, w: [fcnn.conv(x[None], w, impl=i) for i in ("lax", "im2col", "tiled")]
    assert jax.jit(fcnn.dense)(ones(1, 4096), ones(4096, 1)).item() == 4096
    found = jax.jit(conv)(ones(1, 4096), ones(1, 4096, 1))
    assert [y.item() for y in found] == [4096] * 3
    assert jax.jit(lambda x: fcnn.avg_pool(x, 300))(ones(1, 300, 1)).item() == 1
    total = lambda b, x, w: fcnn.dense(x, w, b).sum()
    assert jax.jit(jax.grad(total))(0 * ones(1), ones(4096, 1), ones(1, 1)).item() == 4096


@pytest.mark.parametrize(
    "rank",
    [
        1,
        pytest.param(
            2,
            marks=pytest.mark.all(
                "2 s; rank 1 tests the same rules, and test_transformations compares hessians "
                "on images with autodiff"
            ),
        ),
    ],
)
def test_second_derivatives_agree_with_finite_differences(rank):
    """JAX compares derivatives of the hand-derived rule with finite differences."""
    draw = np.random.default_rng(0).standard_normal
    x, w = draw((1, *(4,) * rank, 2)), draw((*(3,) * rank, 2, 1))
    f = jax.jit(lambda x, w: jnp.sin(fcnn.conv(x, w)))
    modes = ["fwd", "rev"] if RULE == "hijax" else ["rev"]  # custom_vjp has no forward mode
    check_grads(f, (x, w), order=2, modes=modes)


def test_dropout_rate_may_be_the_integer_0(key):
    np.testing.assert_array_equal(jax.jit(partial(fcnn.dropout, rate=0))(np.ones(3), key), 1)


def test_a_cotangent_may_be_a_numpy_array():
    x, w = np.ones((3, 2)), np.ones((2, 1))
    _, pull = jax.vjp(lambda b: fcnn.dense(x, w, b), jnp.ones(1))
    np.testing.assert_array_equal(pull(np.ones((3, 1)))[0], [3])


def test_auto_does_not_slice_every_tap_of_a_large_window():
    """XLA would take 10 s to compile one slice per tap."""
    x, w = zeros(1, 20, 20, 1), zeros(16, 16, 1, 1)
    f = lambda x, w: fcnn.conv(x, w).sum()
    assert "stablehlo.convolution" in jax.jit(f).lower(x, w).as_text()
    gradients = jax.jit(jax.grad(f, (0, 1))).lower(x, w).as_text()
    assert gradients.count("stablehlo.slice") < 3 * 16 < 16 * 16


def test_options_may_be_numpy_arrays():
    pool = lambda x: fcnn.max_pool(x, np.array([2, 2]), stride=np.int32(1))
    assert jax.eval_shape(pool, zeros(1, 5, 5, 1)).shape == (1, 4, 4, 1)


def test_options_may_be_lists_and_inputs_may_be_python_numbers():
    np.testing.assert_array_equal(fcnn.relu(-1.0), 0)
    pool = lambda x: fcnn.max_pool(x, [2, 2], stride=[1, 1])
    assert jax.eval_shape(pool, zeros(1, 5, 5, 1)).shape == (1, 4, 4, 1)


def test_a_shape_saved_as_a_residual_has_no_array_leaves():
    assert jax.tree.leaves(Shape((2, 3))) == []


def test_an_argument_that_is_not_an_array_is_rejected_by_name():
    with pytest.raises(TypeError, match=r"^relu: x 'three' is not an array of numbers$"):
        fcnn.relu("three")
    with pytest.raises(TypeError, match=r"^relu: x \[\[1.0\], \[2.0, 3.0\]\] is not an array"):
        fcnn.relu([[1.0], [2.0, 3.0]])


def test_integers_that_jax_would_truncate_are_rejected():
    with jax.enable_x64(False), pytest.raises(ValueError, match=r"ids holds 4294967297, too large"):
        fcnn.embedding(np.ones((3, 1), np.float32), np.array([2**32 + 1]))


def test_a_traced_option_is_rejected():
    with pytest.raises(TypeError, match="rate must be a static number, not a traced one"):
        jax.jit(lambda r: fcnn.l2_penalty(jnp.ones(3), rate=r))(0.5)


@pytest.mark.parametrize("mode", ["hand", "autodiff"])
def test_logits_of_an_ignored_label_may_be_nan(mode):
    f = lambda z: fcnn.softmax_cross_entropy(z, np.array([-1, 1]), ignore_index=-1)
    with fcnn.gradients(mode):
        g = grad(f, np.array([[np.nan, 0.0], [0.0, 0.0]]))
    np.testing.assert_allclose(g, [[0, 0], [0.5, -0.5]])


def test_unknown_option_is_a_type_error():
    with pytest.raises(TypeError, match="strides"):
        fcnn.conv(jnp.zeros((1, 5, 5, 1)), jnp.zeros((3, 3, 1, 1)), strides=2)
