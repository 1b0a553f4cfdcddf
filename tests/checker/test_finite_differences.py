"""Finite differences: slopes of smooth functions, both slopes at a kink, bars for rounding."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcnn.checker.compiled import CompiledSubject, exactly
from fcnn.checker.finite_differences import Slopes
from fcnn.checker.subject import subject_of


def slopes_of(f, x):
    """The slopes around x of the sum of f."""
    compiled = CompiledSubject(replace(subject_of(f, (x,)), x=[x]))
    return Slopes(compiled, [np.ones_like(y) for y in compiled.y])


def close(f, x, v=None):
    """The result of Slopes.close for the sum of f along v. By default, v is all ones."""
    with exactly():
        x = jnp.asarray(x, jnp.float64)
        return slopes_of(f, x).close([np.ones(x.shape) if v is None else v])


def choices(f, x, v, *values):
    """The set of results for 10 random seeds.

    A result is a tuple of bools: whether each slope in `values` is valid along v.
    """
    with exactly():
        slopes = slopes_of(f, jnp.asarray(x, jnp.float64))
        rngs = map(np.random.default_rng, range(10))
        return {tuple(slopes.nearby_admits(a, [v], rng, 1e-9) for a in values) for rng in rngs}


@pytest.mark.parametrize("x", [1e-3, 0.7, 1.3, 40.0])
def test_the_slope_of_a_smooth_function_has_nine_correct_digits(x):
    look = close(jnp.sin, x)
    assert not look.kinked
    assert look.slope.value == pytest.approx(np.cos(x), rel=1e-9)
    assert abs(look.slope.value - np.cos(x)) <= look.slope.bar


@pytest.mark.parametrize(
    ("f", "x", "low", "high"),
    [
        (jax.nn.relu, 0.0, 0, 1),
        (jnp.abs, 0.0, -1, 1),
        (lambda x: -jnp.abs(x), 0.0, -1, 1),
        (lambda x: jnp.clip(x, 0, 2), 2.0, 0, 1),
        (lambda x: jnp.linalg.norm(x), np.zeros(3), -np.sqrt(3), np.sqrt(3)),
        (lambda x: x * jnp.abs(x) + jnp.maximum(x, 0), 0.0, 0, 1),
    ],
)
def test_a_kink_has_two_slopes(f, x, low, high):
    look = close(f, x)
    assert look.kinked
    assert (look.low, look.high) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize("distance", [1e-3, 1e-5, 1e-7, 1e-9, 1e-11])
@pytest.mark.parametrize("side", [-1, 1])
def test_a_kink_near_x_is_not_reported_as_a_kink_at_x(distance, side):
    look = close(jax.nn.relu, side * distance)
    assert not look.kinked
    assert look.slope.value == pytest.approx(max(side, 0), abs=1e-3)
    assert not look.admits(0.5)


def test_each_output_has_a_separate_choice_of_slope():
    """relu(x) - relu(-x) equals x, which has no kink. As separate outputs, each term has a kink."""
    look = close(lambda x: jnp.stack([jax.nn.relu(x), -jax.nn.relu(-x)]), 0.0)
    assert (look.low, look.high) == pytest.approx((0, 2), abs=1e-6)
    assert not close(lambda x: jax.nn.relu(x) - jax.nn.relu(-x), 0.0).kinked


def test_rounding_inside_f_widens_the_error_bar():
    square = lambda x: (x.astype(jnp.float32) ** 2).astype(jnp.float64)
    look = close(square, 1.3)
    assert abs(look.slope.value - 2.6) <= look.slope.bar < 0.1


def test_only_slope_0_is_valid_where_a_function_is_constant():
    look = close(lambda x: jnp.floor(3 * x), 0.7)
    assert look.admits(0.0)
    assert not look.admits(1e-6)


def test_slope_of_a_function_that_varies_on_a_scale_far_below_x():
    """x is about 1e8, and the slope of the function changes within 1e-2 of x."""
    x = 1e8 + np.array([0.0, 0.0])
    normalized = lambda x: (x[0] - x.mean()) / jnp.sqrt(x.var() + 1e-4)
    look = close(normalized, x, np.array([1e8, -1e8]))
    assert look.slope.value == pytest.approx(1e8 / 1e-2, rel=1e-2)


def test_slopes_leave_out_outputs_that_are_not_finite():
    look = close(jax.nn.log_softmax, np.array([1.0, -np.inf, 2.0]), np.array([1.0, 0.0, 0.0]))
    p = jax.nn.softmax(jnp.array([1.0, 2.0]))[0]
    assert look.slope.value == pytest.approx(float(1 - 2 * p), rel=1e-6)


def test_valid_slopes_of_one_kink_do_not_depend_on_the_random_seed():
    found = choices(jax.nn.relu, np.zeros(2), np.array([1.0, 1.0]), -0.02, 0, 0.6, 2, 2.02)
    assert found == {(False, True, True, True, False)}


def test_several_kinks_of_one_output_have_separate_choices():
    """Along (1, 1), |a| - |b| has the same slope on both sides of 0, but |a| and |b| have kinks."""
    signs = np.array([1.0, -1] * 5)
    bends = lambda x: (signs[: len(x)] * jnp.abs(x)).sum()
    assert not close(bends, np.zeros(2)).kinked
    assert choices(bends, np.zeros(2), np.ones(2), -2, 0, 2, 4) == {(True, True, True, False)}
    assert choices(bends, np.zeros(10), np.ones(10), -5, 5) == {(True, True)}


def test_there_is_no_choice_if_all_pieces_have_the_same_slope():
    larger = lambda x: jnp.maximum(x[0], x[1])
    both = np.array([1.0, 1.0])
    assert choices(larger, both, both, 0, 0.5, 2) == {(False, False, False)}
    assert choices(jnp.sin, both, both, 0, 2) == {(False, False)}
