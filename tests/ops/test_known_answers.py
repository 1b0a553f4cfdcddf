"""Values worked out by hand, limits, and the slopes chosen at kinks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import fcnn
from fcnn.ops import Shape
from fcnn.ops.convolution import rows


def grad(f, x):
    return jax.grad(lambda x: f(x).sum())(x)


def test_output_size_uses_the_height_for_rows():
    assert fcnn.conv(jnp.zeros((1, 7, 5, 1)), jnp.zeros((3, 3, 1, 1)), stride=2).shape == (
        1,
        3,
        2,
        1,
    )


def test_same_at_stride_2_pads_below_and_right():
    """As in TensorFlow; PyTorch's k // 2 on both sides reads other cells."""
    x, w = jnp.arange(4.0).reshape(1, 4, 1), jnp.ones((3, 1, 1))
    np.testing.assert_array_equal(fcnn.conv(x, w, stride=2, padding="same").ravel(), [3, 5])
    np.testing.assert_array_equal(fcnn.conv(x, w, stride=2, padding="same_lower").ravel(), [1, 6])
    np.testing.assert_array_equal(fcnn.conv(x, w, padding="causal").ravel(), [0, 1, 3, 6])


def test_the_gradient_of_a_convolution_is_a_full_correlation():
    x, w = jnp.zeros((1, 3, 1)), jnp.array([1.0, 2.0]).reshape(2, 1, 1)
    _, pull = jax.vjp(lambda x: fcnn.conv(x, w), x)
    np.testing.assert_array_equal(
        pull(jnp.array([10.0, 1.0]).reshape(1, 2, 1))[0].ravel(), [10, 21, 2]
    )


def test_tiles_are_used_and_bounded(monkeypatch):
    """The loop is there when rows exceed the cache, and holds no more than a tile of them."""
    x, w = jnp.zeros((256, 16, 16, 4)), jnp.zeros((3, 3, 4, 2))
    text = jax.jit(lambda x: fcnn.conv(x, w, padding="same", impl="tiled")).lower(x).as_text()
    assert "stablehlo.while" in text
    assert "256x16x16x12x" not in text
    monkeypatch.setattr(rows, "TILE", 2**40)
    jax.clear_caches()
    text = jax.jit(lambda x: fcnn.conv(x, w, padding="same", impl="tiled")).lower(x).as_text()
    assert "stablehlo.while" not in text


def test_implementations_chooses_and_nests():
    x, w = jnp.zeros((1, 4, 4, 1)), jnp.zeros((3, 3, 1, 1))
    used = lambda: "stablehlo.convolution" in jax.jit(lambda x: fcnn.conv(x, w)).lower(x).as_text()
    with fcnn.implementations(conv="lax"):
        assert used()
        with fcnn.implementations(conv="im2col"):
            assert not used()
        assert used()
    with pytest.raises(ValueError, match=r"conv has .*, not 'fast'"):
        fcnn.implementations(conv="fast")
    with pytest.raises(ValueError, match="'dense' is none of"):
        fcnn.implementations(dense="lax")


def test_auto_is_one_program_for_every_platform():
    x, w = jnp.zeros((1, 4, 4, 1)), jnp.zeros((3, 3, 1, 1))
    run = jax.export.export(jax.jit(lambda x: fcnn.conv(x, w)), platforms=["cpu", "cuda", "tpu"])(x)
    assert "stablehlo.case" in run.mlir_module()
    assert "stablehlo.convolution" in run.mlir_module()


def test_col2im_counts_how_often_im2col_read_each_cell():
    ones = fcnn.im2col(jnp.ones((1, 4, 1)), 3)
    np.testing.assert_array_equal(fcnn.col2im(ones, 4, 3).ravel(), [1, 2, 2, 1])


@pytest.mark.parametrize("mode", ["hand", "autodiff"])
def test_max_pool_gives_ties_to_the_first(mode):
    with fcnn.gradients(mode):
        g = grad(lambda x: fcnn.max_pool(x, 2), jnp.ones((1, 4, 4, 1)))
    np.testing.assert_array_equal(g[0, :, :, 0], np.kron(np.ones((2, 2)), [[1, 0], [0, 0]]))


def test_max_pool_passes_nan_on_and_padding_never_wins():
    x = jnp.array([1.0, jnp.nan, 2.0, 3.0]).reshape(1, 4, 1)
    np.testing.assert_array_equal(fcnn.max_pool(x, 2).ravel(), [np.nan, 3])
    np.testing.assert_array_equal(fcnn.max_pool(-x[:, 2:], 2, padding=1).ravel(), [-2, -3])


def test_average_leaves_padding_out_unless_told():
    x = jnp.ones((1, 2, 1))
    np.testing.assert_array_equal(fcnn.avg_pool(x, 2, padding=1).ravel(), [1, 1])
    half = fcnn.avg_pool(x, 2, padding=1, count_include_pad=True)
    np.testing.assert_array_equal(half.ravel(), [0.5, 0.5])


def test_lp_pool_runs_from_the_sum_to_the_maximum():
    x = jnp.array([3.0, -4.0]).reshape(1, 2, 1)
    pooled = [float(fcnn.lp_pool(x, 2, p=p).squeeze()) for p in (1, 2, 200)]
    np.testing.assert_allclose(pooled, [7, 5, 4], rtol=1e-12)


def test_lp_pool_passes_infinity_and_nan_on():
    x = jnp.array([-jnp.inf, 1.0, jnp.nan, 1.0]).reshape(1, 4, 1)
    np.testing.assert_array_equal(fcnn.lp_pool(x, 2).ravel(), [np.inf, np.nan])


@pytest.mark.parametrize("mode", ["hand", "autodiff"])
@pytest.mark.parametrize("p", [1, 1.5, 2, 3])
def test_lp_pool_is_flat_at_zero(mode, p):
    with fcnn.gradients(mode):
        g = grad(lambda x: fcnn.lp_pool(x, 2, p=p), jnp.zeros((1, 4, 1)))
    np.testing.assert_array_equal(g, 0)


@pytest.mark.parametrize("mode", ["hand", "autodiff"])
def test_relu_has_slope_0_at_0(mode):
    with fcnn.gradients(mode):
        g = grad(fcnn.relu, jnp.array([-1.0, -0.0, 0.0, 1.0]))
    np.testing.assert_array_equal(g, [0, 0, 0, 1])


def test_activations_in_the_limit():
    far = jnp.array([-jnp.inf, -1e9, 1e9, jnp.inf])
    np.testing.assert_array_equal(fcnn.sigmoid(far), [0, 0, 1, 1])
    np.testing.assert_array_equal(fcnn.tanh(far), [-1, -1, 1, 1])
    np.testing.assert_array_equal(fcnn.relu(far), [0, 0, 1e9, np.inf])
    np.testing.assert_array_equal(fcnn.softmax(jnp.array([1e9, 0.0, -jnp.inf])), [1, 0, 0])
    np.testing.assert_array_equal(fcnn.log_softmax(jnp.array([0.0, -jnp.inf])), [0, -np.inf])


def test_relu_passes_nan_on():
    np.testing.assert_array_equal(fcnn.relu(jnp.array([jnp.nan, -1.0])), [np.nan, 0])


@pytest.mark.parametrize("dtype", [jnp.uint8, jnp.int8, jnp.int16, jnp.int32, jnp.int64])
def test_labels_of_any_integer_type(dtype, key):
    logits, labels = jax.random.normal(key, (2, 300)), jnp.array([3, 40])
    loss = fcnn.softmax_cross_entropy(logits, labels.astype(dtype))
    np.testing.assert_allclose(loss, -jax.nn.log_softmax(logits)[jnp.arange(2), labels], rtol=1e-12)


@pytest.mark.parametrize("mode", ["hand", "autodiff"])
def test_a_label_out_of_range_moves_nothing(mode):
    with fcnn.gradients(mode):
        g = grad(lambda z: fcnn.softmax_cross_entropy(z, jnp.array([2])), jnp.zeros((1, 2)))
    np.testing.assert_array_equal(g, 0)


def test_softmax_has_the_jacobian_diag_p_minus_p_p():
    x = jnp.array([0.3, -1.0, 2.0])
    p = np.exp(x) / np.exp(x).sum()
    np.testing.assert_allclose(jax.jacrev(fcnn.softmax)(x), np.diag(p) - np.outer(p, p), atol=1e-15)


def test_cross_entropy_of_even_odds_is_log_k_and_its_gradient_p_minus_t():
    logits, labels = jnp.zeros((2, 4)), jnp.array([0, 3])
    loss, pull = jax.vjp(lambda z: fcnn.softmax_cross_entropy(z, labels), logits)
    np.testing.assert_allclose(loss, np.log(4), rtol=1e-15)
    np.testing.assert_allclose(pull(jnp.ones(2))[0], 0.25 - np.eye(4)[[0, 3]], atol=1e-15)


def test_cross_entropy_far_out_and_out_of_range():
    logits = jnp.array([[1e9, 0.0], [-jnp.inf, 0.0], [0.0, 0.0], [0.0, 0.0]])
    loss = fcnn.softmax_cross_entropy(logits, jnp.array([1, 1, 2, -1]))
    np.testing.assert_array_equal(loss, [1e9, 0, np.nan, np.nan])


def test_squared_error_is_half_the_square():
    y, t = jnp.array([[1.0, 2.0], [0.0, 0.0]]), jnp.array([[0.0, 0.0], [3.0, 4.0]])
    np.testing.assert_array_equal(fcnn.squared_error(y, t), [2.5, 12.5])
    np.testing.assert_array_equal(grad(lambda y: fcnn.squared_error(y, t), y), y - t)


def test_dropout_drops_at_its_rate_and_keeps_the_mean(key):
    x = jnp.ones(100_000)
    y = fcnn.dropout(x, key, rate=0.3)
    assert abs(float((y == 0).mean()) - 0.3) < 0.01
    assert abs(float(y.mean()) - 1) < 0.01
    np.testing.assert_array_equal(grad(lambda x: fcnn.dropout(x, key, rate=0.3), x), y)


def test_dropout_saves_one_byte_per_entry(key):
    _, saved = fcnn.dropout.fwd_rule(jnp.ones(10), key, rate=0.5)
    assert [a.dtype for a in jax.tree.leaves(saved)] == [bool]


def test_batch_norm_statistics():
    x = jnp.array([[1.0], [3.0]])
    one, zero = jnp.ones(1), jnp.zeros(1)
    y, mean, var = fcnn.batch_norm(x, one, zero, zero, one, train=True, momentum=0.9, eps=1e-12)
    np.testing.assert_allclose(y.ravel(), [-1, 1], rtol=1e-9)
    np.testing.assert_allclose([mean[0], var[0]], [0.1 * 2, 0.9 + 0.1 * 1], rtol=1e-15)
    y, *_ = fcnn.batch_norm(
        x, one, zero, jnp.array([2.0]), jnp.array([4.0]), train=False, eps=1e-12
    )
    np.testing.assert_allclose(y.ravel(), [-0.5, 0.5], rtol=1e-9)


def test_variance_survives_a_large_mean():
    """E[x²] − E[x]² would lose every digit in float32."""
    x = jnp.array([[1e4, 1e4 + 1, 1e4 + 2]], jnp.float32)
    y = fcnn.layer_norm(x, jnp.ones(3, jnp.float32), jnp.zeros(3, jnp.float32))
    np.testing.assert_allclose(y[0], [-np.sqrt(1.5), 0, np.sqrt(1.5)], rtol=1e-4)


def test_long_sums_in_half_precision_do_not_stall():
    """4,096 ones added in bfloat16 stop at 256; kept in float32 they do not."""
    x = jnp.ones((1, 4096), jnp.bfloat16)
    assert fcnn.dense(x, jnp.ones((4096, 1), jnp.bfloat16))[0, 0] == 4096
    w = jnp.ones((1, 4096, 1), jnp.bfloat16)
    for impl in ("lax", "im2col", "tiled"):
        assert fcnn.conv(x[None], w, impl=impl).squeeze() == 4096
    row = jnp.ones((1, 300, 1), jnp.bfloat16)
    assert jax.jit(lambda x: fcnn.avg_pool(x, 300))(row).squeeze() == 1
    ones, b = jnp.ones((4096, 1), jnp.bfloat16), jnp.zeros(1, jnp.bfloat16)
    assert grad(lambda b: fcnn.dense(ones, ones[:1], b), b) == 4096


def test_second_order_agrees_with_differences(key):
    """Grad of the hand rule, against an independent checker."""
    x, w = jax.random.normal(key, (1, 4, 4, 2)), jax.random.normal(key, (3, 3, 2, 1))
    check_grads(lambda x, w: jnp.sin(fcnn.conv(x, w)), (x, w), order=2, modes=["fwd", "rev"])


def test_dropout_of_rate_0_written_as_an_integer(key):
    np.testing.assert_array_equal(fcnn.dropout(jnp.ones(3), key, rate=0), 1)


def test_a_cotangent_may_be_a_numpy_array():
    x, w = jnp.ones((1, 3, 3, 1)), jnp.ones((2, 2, 1, 1))
    _, pull = jax.vjp(lambda b: fcnn.conv(x, w, b), jnp.ones(1))
    np.testing.assert_array_equal(pull(np.ones((1, 2, 2, 1)))[0], [4])


def test_auto_writes_no_slice_for_every_tap_of_a_huge_window():
    """XLA would take 10 s to compile them."""
    x, w = jnp.zeros((1, 20, 20, 1)), jnp.zeros((16, 16, 1, 1))
    f = lambda x, w: fcnn.conv(x, w).sum()
    assert "stablehlo.convolution" in jax.jit(f).lower(x, w).as_text()
    gradients = jax.jit(jax.grad(f, (0, 1))).lower(x, w).as_text()
    assert gradients.count("stablehlo.slice") < 3 * 16 < 16 * 16


def test_options_may_be_arrays_of_numpy():
    x = jnp.zeros((1, 5, 5, 1))
    assert fcnn.max_pool(x, np.array([2, 2]), stride=np.int32(1)).shape == (1, 4, 4, 1)


def test_options_may_be_lists_and_python_numbers_are_arrays():
    np.testing.assert_array_equal(fcnn.relu(-1.0), 0)
    x = jnp.zeros((1, 5, 5, 1))
    assert fcnn.max_pool(x, [2, 2], stride=[1, 1]).shape == (1, 4, 4, 1)


def test_a_saved_shape_is_no_array():
    assert jax.tree.leaves(Shape((2, 3))) == []


def test_what_is_no_array_is_refused_by_name():
    with pytest.raises(TypeError, match=r"^relu: x 'three' is no array of numbers$"):
        fcnn.relu("three")
    with pytest.raises(TypeError, match=r"^relu: x \[\[1.0\], \[2.0, 3.0\]\] is no array"):
        fcnn.relu([[1.0], [2.0, 3.0]])


def test_numbers_that_jax_would_cut_short_are_refused():
    with jax.enable_x64(False), pytest.raises(ValueError, match=r"ids holds 4294967297, too large"):
        fcnn.embedding(np.ones((3, 1), np.float32), np.array([2**32 + 1]))


def test_a_traced_option_is_refused():
    with pytest.raises(TypeError, match="rate must be a number known when compiling"):
        jax.jit(lambda r: fcnn.l2_penalty(jnp.ones(3), rate=r))(0.5)


@pytest.mark.parametrize("mode", ["hand", "autodiff"])
def test_what_is_ignored_may_be_nan(mode):
    f = lambda z: fcnn.softmax_cross_entropy(z, jnp.array([-1, 1]), ignore_index=-1).sum()
    with fcnn.gradients(mode):
        g = jax.grad(f)(jnp.array([[jnp.nan, 0.0], [0.0, 0.0]]))
    np.testing.assert_allclose(g, [[0, 0], [0.5, -0.5]])


def test_unknown_option_is_a_type_error():
    with pytest.raises(TypeError, match="strides"):
        fcnn.conv(jnp.zeros((1, 5, 5, 1)), jnp.zeros((3, 3, 1, 1)), strides=2)
