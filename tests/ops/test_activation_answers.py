"""Activations, gates and learned rectifiers: limits, published values, slopes at kinks."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn

LIMITS = {  # at -inf and at inf
    "identity": (-np.inf, np.inf),
    "relu": (0, np.inf),
    "relu6": (0, 6),
    "leaky_relu": (-np.inf, np.inf),
    "elu": (-1, np.inf),
    "selu": (-1.0507009873554805 * 1.6732632423543772, np.inf),
    "celu": (-1, np.inf),
    "sigmoid": (0, 1),
    "log_sigmoid": (-np.inf, 0),
    "hard_sigmoid": (0, 1),
    "tanh": (-1, 1),
    "hard_tanh": (-1, 1),
    "softplus": (0, np.inf),
    "softsign": (-1, 1),
    "squareplus": (0, np.inf),
    "silu": (0, np.inf),
    "gelu": (0, np.inf),
    "hard_swish": (0, np.inf),
    "mish": (0, np.inf),
}
SLOPES = {"leaky_relu": (0.01, 1), "selu": (0, 1.0507009873554805), "log_sigmoid": (1, 0)}
SLOPES |= {"identity": (1, 1)}
every = pytest.mark.parametrize("name", LIMITS)
both = pytest.mark.parametrize("mode", ["hand", "autodiff"])


def grad(f, x):
    return jax.grad(lambda x: f(x).sum())(x)


@every
@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64])
def test_far_out_and_at_infinity(name, dtype):
    f, (low, high) = getattr(fcnn, name), LIMITS[name]
    most = min(1e9, float(jnp.finfo(dtype).max) / 2)
    far = jnp.array([-jnp.inf, -most, most, jnp.inf, jnp.nan], dtype)
    y, slopes = f(far), grad(f, far)
    np.testing.assert_allclose(y[jnp.array([0, 3])], np.array([low, high], dtype), rtol=1e-2)
    assert np.isnan(y[4])
    assert np.isfinite(y[1:3]).all()
    if math.isfinite(low):
        np.testing.assert_allclose(y[1], np.array(low, dtype), atol=1e-2)
    flat = tuple(0 if math.isfinite(end) else 1 for end in (low, high))
    wanted = np.repeat(np.array(SLOPES.get(name, flat), dtype), 2)
    np.testing.assert_allclose(slopes[:4], wanted, atol=1e-3 + float(jnp.finfo(dtype).eps))


@both
@pytest.mark.parametrize(
    ("name", "kinks", "slopes"),
    [
        ("relu6", [0, 6], [0, 0]),
        ("leaky_relu", [0], [0.01]),
        ("elu", [0], [1]),
        ("celu", [0], [1]),
        ("selu", [0], [1.0507009873554805 * 1.6732632423543772]),
        ("hard_sigmoid", [-3, 3], [0, 0]),
        ("hard_tanh", [-1, 1], [0, 0]),
        ("hard_swish", [-3, 3], [0, 1]),
    ],
)
def test_slopes_chosen_at_kinks(name, kinks, slopes, mode):
    with fcnn.gradients(mode):
        g = grad(getattr(fcnn, name), jnp.array(kinks, float))
    np.testing.assert_allclose(g, slopes, rtol=1e-15)


def test_elu_at_0_has_slope_alpha_and_celu_1():
    x = jnp.zeros(1)
    assert grad(lambda x: fcnn.elu(x, alpha=0.3), x)[0] == 0.3
    assert grad(lambda x: fcnn.celu(x, alpha=0.3), x)[0] == 1


def test_identities_between_activations():
    x = jnp.linspace(-6, 6, 41)
    near = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)
    near(fcnn.log_sigmoid(x), -fcnn.softplus(-x))
    near(fcnn.softplus(x) - fcnn.softplus(-x), x)
    near(fcnn.squareplus(x) * fcnn.squareplus(-x), jnp.ones(41))
    near(fcnn.tanh(x), 2 * fcnn.sigmoid(2 * x) - 1)
    near(fcnn.gelu(x) - fcnn.gelu(-x), x)
    near(fcnn.silu(x, beta=1.702), x * fcnn.sigmoid(1.702 * x))
    assert np.abs(fcnn.gelu(x) - fcnn.gelu(x, approximate=True)).max() < 5e-4


def test_selu_keeps_mean_0_and_variance_1():
    """The fixed point that its two constants were solved for, of a standard normal."""
    x = jnp.linspace(-10, 10, 20_001)
    density = jnp.exp(-jnp.square(x) / 2) / math.sqrt(2 * math.pi)
    mean = lambda a: float(jnp.trapezoid(a * density, x))
    assert abs(mean(fcnn.selu(x))) < 1e-7
    assert abs(mean(jnp.square(fcnn.selu(x))) - 1) < 1e-6


def test_small_tails_keep_their_digits():
    x = jnp.array([-30.0])
    np.testing.assert_allclose(fcnn.gelu(x), -30 * 0.5 * math.erfc(30 / math.sqrt(2)), rtol=1e-13)
    np.testing.assert_allclose(fcnn.silu(x), -30 * math.exp(-30), rtol=1e-12)
    np.testing.assert_allclose(fcnn.squareplus(-jnp.array([1e9])), 1e-9, rtol=1e-12)
    np.testing.assert_allclose(grad(fcnn.log_sigmoid, -x), math.exp(-30), rtol=1e-12)


def test_an_activation_that_never_falls_saves_y_alone():
    y, saved = fcnn.tanh.fwd_rule(jnp.ones(3))
    assert saved is y


def test_prelu_sums_the_slopes_gradient_over_all_but_channels():
    x, slope = jnp.array([[-1.0, 2.0], [-3.0, 0.0]]), jnp.array([0.5, 0.1])
    y, pull = jax.vjp(fcnn.prelu, x, slope)
    np.testing.assert_array_equal(y, [[-0.5, 2], [-1.5, 0]])
    dx, dslope = pull(jnp.array([[1.0, 1.0], [10.0, 1.0]]))
    np.testing.assert_array_equal(dx, [[0.5, 1], [5, 0.1]])
    np.testing.assert_array_equal(dslope, [-31, 0])


def test_glu_gates_with_its_second_half_and_swiglu_with_its_first():
    x = jnp.array([2.0, 0.0])
    np.testing.assert_array_equal(fcnn.glu(x), [1])
    np.testing.assert_array_equal(fcnn.swiglu(x), [0])
    np.testing.assert_allclose(fcnn.swiglu(x[::-1] + 1), fcnn.silu(jnp.ones(1)) * 3)


def test_frelu_compares_with_its_neighbours_and_gives_ties_to_x():
    x = jnp.array([1.0, 3.0, -1.0]).reshape(1, 3, 1)
    w = jnp.array([0.0, 0.0, 1.0]).reshape(3, 1, 1)  # the right neighbour
    np.testing.assert_array_equal(fcnn.frelu(x, w).ravel(), [3, 3, 0])
    g = grad(lambda x: (fcnn.frelu(x, w)).ravel(), x)
    np.testing.assert_array_equal(g.ravel(), [0, 2, 0])
    with_ties = jnp.array([1.0, 1.0, -1.0]).reshape(1, 3, 1)
    np.testing.assert_array_equal(grad(lambda x: fcnn.frelu(x, w), with_ties).ravel(), [1, 1, 0])


def test_frelu_without_neighbours_is_relu(key):
    x = jax.random.normal(key, (2, 3, 4, 2))
    np.testing.assert_array_equal(fcnn.frelu(x, jnp.zeros((3, 3, 1, 2))), fcnn.relu(x))
