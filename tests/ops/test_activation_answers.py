"""Activations: limits, published values, slopes at kinks."""

import math
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn

LIMITS = {  # name -> values at -inf and at inf
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
# Slopes at -inf and at inf. By default, a finite limit has slope 0, an infinite limit slope 1.
SLOPES = {"leaky_relu": (0.01, 1), "selu": (0, 1.0507009873554805), "log_sigmoid": (1, 0)}
SLOPES |= {"identity": (1, 1)}
every = pytest.mark.parametrize("name", LIMITS)
both = pytest.mark.parametrize("mode", ["hand", "autodiff"])


def grad(f, x):
    return jax.jit(jax.grad(lambda x: f(x).sum()))(x)


@cache
def large_inputs(dtype):
    """Values and slopes of all activations in both modes, for large, infinite and NaN inputs."""
    most = min(1e9, float(jnp.finfo(dtype).max) / 2)
    far = np.array([-np.inf, -most, most, np.inf, np.nan], dtype)

    def run(x, mode):
        with fcnn.gradients(mode):
            pairs = lambda f: (f(x), jax.grad(lambda x: f(x).sum())(x))
            return {name: pairs(getattr(fcnn, name)) for name in LIMITS}

    in_both = jax.jit(lambda x: {mode: run(x, mode) for mode in ("hand", "autodiff")})
    return jax.tree.map(np.asarray, in_both(far))


@both
@every
@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64])
def test_large_and_infinite_inputs(name, dtype, mode):
    (y, slopes), (low, high) = large_inputs(dtype)[mode][name], LIMITS[name]
    np.testing.assert_allclose(y[[0, 3]], np.array([low, high], dtype), rtol=1e-2)
    assert np.isnan(y[4])
    assert np.isfinite(y[1:3]).all()
    if math.isfinite(low):
        np.testing.assert_allclose(y[1], np.array(low, dtype), atol=1e-2)
    default = tuple(0 if math.isfinite(end) else 1 for end in (low, high))
    wanted = np.repeat(np.array(SLOPES.get(name, default), dtype), 2)
    np.testing.assert_allclose(slopes[:4], wanted, atol=1e-3 + float(jnp.finfo(dtype).eps))


KINKS = {  # name -> the kinks, and the slope at each kink
    "relu6": ([0, 6], [0, 0]),
    "leaky_relu": ([0], [0.01]),
    "elu": ([0], [1]),
    "celu": ([0], [1]),
    "selu": ([0], [1.0507009873554805 * 1.6732632423543772]),
    "hard_sigmoid": ([-3, 3], [0, 0]),
    "hard_tanh": ([-1, 1], [0, 0]),
    "hard_swish": ([-3, 3], [0, 1]),
}


@both
@pytest.mark.parametrize("dtype", [jnp.float16, jnp.float64])
@pytest.mark.parametrize("name", KINKS)
def test_slopes_chosen_at_kinks(name, dtype, mode):
    """In float16, XLA replaces x / 6 by a product with the rounded 1 / 6, so slopes are rounded."""
    within = float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(slopes_at_kinks(dtype, mode)[name], KINKS[name][1], rtol=within)


@cache
def slopes_at_kinks(dtype, mode):
    slopes = lambda f, x: jax.grad(lambda x: f(x).sum())(x)
    run = lambda kinks: {name: slopes(getattr(fcnn, name), kinks[name]) for name in KINKS}
    with fcnn.gradients(mode):
        return jax.jit(run)({name: np.array(kinks, dtype) for name, (kinks, _) in KINKS.items()})


def test_elu_has_slope_alpha_at_0_and_celu_has_slope_1():
    x = np.zeros(1)
    assert grad(partial(fcnn.elu, alpha=0.3), x).item() == 0.3
    assert grad(partial(fcnn.celu, alpha=0.3), x).item() == 1


def test_identities_between_activations():
    def sides(x):
        yield fcnn.log_sigmoid(x), -fcnn.softplus(-x)
        yield fcnn.softplus(x) - fcnn.softplus(-x), x
        yield fcnn.squareplus(x) * fcnn.squareplus(-x), jnp.ones(41)
        yield fcnn.tanh(x), 2 * fcnn.sigmoid(2 * x) - 1
        yield fcnn.gelu(x) - fcnn.gelu(-x), x
        yield fcnn.silu(x, beta=1.702), x * fcnn.sigmoid(1.702 * x)
        yield fcnn.gelu(x), fcnn.gelu(x, approximate=True)

    *exact, approximate = jax.jit(lambda x: list(sides(x)))(np.linspace(-6, 6, 41))
    for a, b in exact:
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)
    assert np.abs(np.subtract(*approximate)).max() < 5e-4


def test_selu_keeps_mean_0_and_variance_1():
    """selu's constants are chosen so that a standard normal input gives mean 0 and variance 1."""
    x = np.linspace(-10, 10, 20_001)
    density = np.exp(-np.square(x) / 2) / math.sqrt(2 * math.pi)
    mean = lambda a: float(np.trapezoid(a * density, x))
    y = np.asarray(jax.jit(fcnn.selu)(x))
    assert abs(mean(y)) < 1e-7
    assert abs(mean(np.square(y)) - 1) < 1e-6


def test_small_outputs_and_slopes_far_from_0_are_accurate():
    def run(x, far):
        slope = jax.grad(lambda x: fcnn.log_sigmoid(x).sum())(-x)
        return fcnn.gelu(x), fcnn.silu(x), fcnn.squareplus(far), slope

    gelu, silu, squareplus, slope = jax.jit(run)(np.array([-30.0]), np.array([-1e9]))
    np.testing.assert_allclose(gelu, -30 * 0.5 * math.erfc(30 / math.sqrt(2)), rtol=1e-13)
    np.testing.assert_allclose(silu, -30 * math.exp(-30), rtol=1e-12)
    np.testing.assert_allclose(squareplus, 1e-9, rtol=1e-12)
    np.testing.assert_allclose(slope, math.exp(-30), rtol=1e-12)


@both
def test_exponential_units_keep_small_slopes(mode):
    """At x = -20, y rounds to -alpha, so a slope computed as alpha + y would be 0."""
    x = jnp.full(1, -20.0, jnp.float32)
    units = fcnn.elu, fcnn.selu, fcnn.celu
    slope = lambda f, x: jax.grad(lambda x: f(x).sum())(x)
    with fcnn.gradients(mode):
        found = jax.jit(lambda x: [slope(f, x) for f in units])(x)
    scales = 1, 1.0507009873554805 * 1.6732632423543772, 1
    wanted = np.exp(-20.0) * np.array(scales)[:, None]
    np.testing.assert_allclose(np.stack(found), wanted, rtol=1e-6)


@both
def test_softsign_of_large_inputs(mode):
    """Computed as 1 / (1 + x) - x / (1 + x)^2, the slope would lose digits."""
    x = jnp.array([1e3, 6e4], jnp.float32)
    with fcnn.gradients(mode):
        slope = jax.jit(jax.grad(lambda x: fcnn.softsign(x).sum()))(x)
    np.testing.assert_allclose(slope, 1 / np.square(1 + np.array([1e3, 6e4])), rtol=1e-6)


@both
def test_second_derivative_of_gelu_is_0_for_large_inputs(mode):
    with fcnn.gradients(mode):
        assert jax.grad(jax.grad(fcnn.gelu))(jnp.float32(3e38)) == 0


@both
def test_an_infinite_positive_input_adds_0_to_the_gradient_of_the_slope_of_prelu(mode):
    with fcnn.gradients(mode):
        dslope = jax.jit(jax.grad(lambda s: fcnn.prelu(jnp.full((1, 1), jnp.inf), s).sum()))(
            jnp.ones(1)
        )
    np.testing.assert_array_equal(dslope, [0])


def test_monotone_activations_save_only_y():
    y, saved = fcnn.tanh.fwd_rule(jnp.ones(3))
    assert y is saved


def test_gradient_of_the_slope_of_prelu_is_summed_over_all_axes_but_channels():
    x, slope = np.array([[-1.0, 2.0], [-3.0, 0.0]]), np.array([0.5, 0.1])

    def run(x, slope, dy):
        y, pull = jax.vjp(fcnn.prelu, x, slope)
        return y, *pull(dy)

    y, dx, dslope = jax.jit(run)(x, slope, np.array([[1.0, 1.0], [10.0, 1.0]]))
    np.testing.assert_array_equal(y, [[-0.5, 2], [-1.5, 0]])
    np.testing.assert_array_equal(dx, [[0.5, 1], [5, 0.1]])
    np.testing.assert_array_equal(dslope, [-31, 0])


def test_glu_gates_by_the_second_half_and_swiglu_by_the_first():
    run = lambda x, one: (fcnn.glu(x), fcnn.swiglu(x), fcnn.swiglu(x[::-1] + 1), fcnn.silu(one) * 3)
    glu, swiglu, *two_ways = jax.jit(run)(np.array([2.0, 0.0]), np.ones(1))
    np.testing.assert_array_equal(glu, [1])
    np.testing.assert_array_equal(swiglu, [0])
    np.testing.assert_allclose(*two_ways)


def test_frelu_is_the_maximum_of_x_and_its_convolution_and_ties_go_to_x():
    w = np.array([0.0, 0.0, 1.0]).reshape(3, 1, 1)  # the convolution gives the right neighbour
    run = jax.jit(lambda x: (fcnn.frelu(x, w), jax.grad(lambda x: fcnn.frelu(x, w).sum())(x)))
    y, dx = run(np.array([1.0, 3.0, -1.0]).reshape(1, 3, 1))
    np.testing.assert_array_equal(np.ravel(y), [3, 3, 0])
    np.testing.assert_array_equal(np.ravel(dx), [0, 2, 0])
    _, with_ties = run(np.array([1.0, 1.0, -1.0]).reshape(1, 3, 1))
    np.testing.assert_array_equal(np.ravel(with_ties), [1, 1, 0])


def test_frelu_with_a_kernel_of_zeros_is_relu():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 2))
    frelu, relu = jax.jit(lambda x, w: (fcnn.frelu(x, w), fcnn.relu(x)))(x, np.zeros((3, 3, 1, 2)))
    np.testing.assert_array_equal(frelu, relu)
