"""Initializers: variances, bounds and fans of every kernel; identity kernels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn
from fcnn import layers
from fcnn.layers import initializers
from fcnn.layers.initializers import constant, grouped, normal, orthogonal, truncated, uniform

SHAPES = [(300, 200), (3, 40, 50), (3, 3, 20, 30), (2, 2, 2, 20, 30)]
VARIANCES = {
    "he": lambda i, o: 2 / i,
    "glorot": lambda i, o: 2 / (i + o),
    "lecun": lambda i, o: 1 / i,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["", "_uniform", "_truncated"])
@pytest.mark.parametrize("name", VARIANCES)
def test_kernels_have_the_variance_and_the_bound_of_their_initializer(name, kind, shape, key):
    *window, c, o = shape
    k = int(np.prod(window))
    std = np.sqrt(VARIANCES[name](k * c, k * o))
    w = np.asarray(getattr(initializers, name + kind)(key, shape)) / std
    assert abs(w.var() - 1) < 6 * np.sqrt(2 / w.size)
    assert abs(w.mean()) < 4 / np.sqrt(w.size)
    bound = {"": np.inf, "_uniform": np.sqrt(3), "_truncated": 2 / 0.87962566}[kind]
    assert np.abs(w).max() <= bound
    assert np.abs(w).max() > 0.99 * min(bound, 3)


@pytest.mark.parametrize("name", VARIANCES)
def test_each_group_has_the_fans_of_its_channels_and_features(name, key):
    """With 12 channels and 40 features in 4 groups, a group has 3 channels and 10 features."""
    shape = (5, 7, 3, 40)
    expected = VARIANCES[name](35 * 3, 35 * 10)
    w = grouped(getattr(initializers, name), 4)(key, shape)
    assert abs(float(w.var()) / expected - 1) < 0.1
    assert not np.array_equal(w[..., :10], w[..., 10:20])
    layer = layers.conv(40, (5, 7), groups=4, w_init=getattr(initializers, name))
    params, _ = layer.init(key, (9, 9, 12))
    np.testing.assert_array_equal(params["w"], w)


def test_grouped_transposed_convolution_has_the_fans_of_a_group(key):
    """A group has 8 channels and 9 taps, so the standard deviation of `he` is sqrt(2 / 72)."""
    params, _ = layers.conv_transpose(64, (3, 3), groups=8).init(key, (5, 5, 64))
    assert abs(float(params["w"].std()) / np.sqrt(2 / 72) - 1) < 0.05


# Each entry: a function from an initializer to a layer, the number of taps that contribute to an
# output, and the numbers of channels and of features in a group.
LAYERS = {
    "dense": (lambda w: layers.dense(96, w_init=w), 1, 64, 96),
    "conv": (lambda w: layers.conv(96, (3, 2), padding="valid", w_init=w), 6, 64, 96),
    "grouped": (lambda w: layers.conv(96, (3, 2), stride=2, groups=4, w_init=w), 6, 16, 24),
    "depthwise": (lambda w: layers.conv(128, (3, 2), groups=64, w_init=w), 6, 1, 2),
    "transposed": (lambda w: layers.conv_transpose(96, (2, 2), stride=2, w_init=w), 1, 64, 96),
    "transposed, grouped": (
        lambda w: layers.conv_transpose(96, (4, 4), stride=2, groups=8, w_init=w),
        *(4, 8, 12),
    ),
    "separable": (lambda w: layers.separable_conv(96, (3, 2), w_init=w), 1, 64, 96),
}
# Number of taps in the window, for layers in which only some taps contribute to an output.
WINDOWS = {"transposed": 4, "transposed, grouped": 16}


@pytest.mark.parametrize("name", LAYERS)
def test_outputs_have_the_variance_that_follows_from_the_fans(name, key):
    """Away from borders, var(y) = k var(w) mean(x^2), where k weights contribute to an output."""
    make, contributing, c, o = LAYERS[name]
    taps = WINDOWS.get(name, contributing)
    shape = (64,) if name == "dense" else (12, 12, 64)
    x = np.random.default_rng(0).standard_normal((64 if name == "dense" else 4, *shape))

    def outputs(init):
        layer = make(init)
        return layer.apply(layer.init(key, shape)[0], {}, x)[0]

    found = jax.jit(lambda: {i: outputs(getattr(initializers, i)) for i in VARIANCES})()
    for init, y in found.items():
        inner = y if y.ndim == 2 else y[:, 2:-2, 2:-2]
        expected = contributing * c * VARIANCES[init](taps * c, taps * o)
        assert abs(float(inner.var()) / expected - 1) < 0.1, init


def test_gates_and_attention_projections_have_separate_fans(key):
    """Each gate and each projection of attention has the fans of a dense layer of its shape."""
    made = {
        "lstm": (layers.lstm(40, u_init=initializers.he), (5, 60)),
        "attention": (layers.multi_head_attention(4, groups=2), (5, 128)),
        "embedding": (layers.embedding(100, 200), (5,)),
    }
    params = jax.jit(
        lambda: {name: layer.init(key, shape)[0] for name, (layer, shape) in made.items()}
    )()
    for gate in range(4):
        w, u = (params["lstm"][x][:, 40 * gate : 40 * (gate + 1)] for x in ("w", "u"))
        assert abs(float(w.var()) * (60 + 40) / 2 - 1) < 0.1
        assert abs(float(u.var()) * 40 / 2 - 1) < 0.15
    for name, o in (("wq", 128), ("wk", 64), ("wv", 64), ("wo", 128)):
        assert abs(float(params["attention"][name].var()) * (128 + o) / 2 - 1) < 0.1
    assert abs(float(params["embedding"]["table"].var()) - 1) < 0.1


def test_each_group_of_an_orthogonal_kernel_is_orthogonal(key):
    w = grouped(orthogonal(), 2)(key, (3, 4, 10))
    for half in jnp.split(w.reshape(12, 10), 2, axis=1):
        np.testing.assert_allclose(half.T @ half, np.eye(5), atol=1e-12)


def test_grouped_returns_the_initializer_itself_for_one_group():
    assert grouped(initializers.he, 1) is initializers.he


@pytest.mark.parametrize("shape", [(6, 6), (9, 4), (4, 9), (3, 2, 4), (3, 3, 2, 40)])
def test_orthogonal_kernels_have_orthogonal_rows_or_columns(shape, key):
    w = orthogonal(2.0)(key, shape).reshape(-1, shape[-1])
    product = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-12)


def test_orthogonal_matrices_have_either_determinant(key):
    """Determinants 1 and -1 are equally frequent. The mean of the matrices is 0."""
    draw = jax.vmap(lambda k: orthogonal()(k, (3, 3)))(jax.random.split(key, 2000))
    assert abs(float((jnp.linalg.det(draw) > 0).mean()) - 0.5) < 0.05
    assert np.abs(draw.mean(0)).max() < 4 * np.sqrt(1 / 3 / 2000)


@pytest.mark.parametrize("window", [(3,), (2,), (3, 2), (5, 4, 1)])
@pytest.mark.parametrize("o", [3, 2, 5])
def test_identity_convolution_is_the_identity(window, o, key):
    layer = layers.conv(o, window, w_init=initializers.identity)
    shape = (*(4 + i for i, _ in enumerate(window)), 3)
    x = np.random.default_rng(0).standard_normal((2, *shape))
    y = jax.jit(lambda key, x: layer.apply(layer.init(key, shape)[0], {}, x)[0])(key, x)
    np.testing.assert_array_equal(y[..., :3], x[..., :o])
    np.testing.assert_array_equal(y[..., 3:], 0)


def test_identity_kernel_of_a_dense_layer(key):
    x = jax.random.normal(key, (2, 3))
    np.testing.assert_array_equal(fcnn.dense(x, initializers.identity(key, (3, 3))), x)
    np.testing.assert_array_equal(initializers.identity(key, (2, 3)), np.eye(2, 3))


def test_constant_initializers_fill_arrays_with_one_value(key):
    np.testing.assert_array_equal(constant(2)(key, (2, 3)), np.full((2, 3), 2.0))
    np.testing.assert_array_equal(constant(-0.5)(key, (3,)), [-0.5] * 3)
    np.testing.assert_array_equal(initializers.zeros(key, (2,)), [0, 0])
    np.testing.assert_array_equal(initializers.ones(key, (2,)), [1, 1])


@pytest.mark.parametrize("init", [normal(0.3), truncated(0.3), uniform(0.3 * np.sqrt(3))])
def test_initializers_without_fans_have_the_given_scale(init, key):
    w = init(key, (20_000,))
    assert abs(float(w.std()) / 0.3 - 1) < 0.02


def test_bad_scales_and_shapes_are_rejected(key):
    for init in (normal, truncated):
        with pytest.raises(ValueError, match="std -1 must be finite and not negative"):
            init(-1)
    with pytest.raises(ValueError, match="bound -1 must be finite and not negative"):
        uniform(-1)
    for init in (initializers.glorot_uniform, orthogonal(), initializers.identity):
        with pytest.raises(ValueError, match=r"shape \(3,\) has no fans"):
            init(key, (3,))
    with pytest.raises(ValueError, match=r"shape \(0, 4\) has no fans"):
        initializers.he(key, (0, 4))
    with pytest.raises(ValueError, match="groups 3 does not divide 4 features"):
        layers.conv(4, (3,), groups=3).init(key, (5, 6))
