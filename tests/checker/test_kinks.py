"""At a kink, the gradients of all arguments must follow from one valid choice of slopes."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn
from fcnn.checker.verdict import KINK, WRONG

pytestmark = pytest.mark.usefixtures("jax_default_promotion")

check = partial(fcnn.check, cost=False)
RNG = np.random.default_rng(0)
ONES, TWOS, ZEROS = np.ones(3), np.full(3, 2.0), np.zeros(8)
X, W = RNG.standard_normal((2, 3)), RNG.standard_normal((3, 2))
WHOLE = RNG.integers(-2, 3, (2, 5, 7)).astype(float)
MIXED = np.array([1.0, -1, 2, -0.5, 3, -2, 0.1, 1])
AT_BOUNDS = np.array([0.0, 1, 0.5]), np.zeros(3), np.ones(3)
TIES = np.array([3.0, 1, 1, 2, 1])
SECOND_TIER = pytest.mark.all("0.5 s per problem; the first tier runs one problem of each kind")


def maximum(a, b):
    return jnp.maximum(a, b)


def larger_of_double(a, b):
    return jnp.maximum(a, 2 * b)


def abs_of_sum(a, b):
    return jnp.abs(a + b)


def larger_of_product(x, w, z):
    return jnp.maximum(x @ w, z)


def margin(s, t):
    return jnp.maximum(0, 1 - s * t)


def weighted_relu(x):
    """A sum with kinks at 0. The slope rises where MIXED > 0, and falls where MIXED < 0."""
    return (MIXED * jax.nn.relu(x)).sum()


def layer(x, w, b, u):
    """At x = 0 and b = 0, every hidden unit is at a kink, so each output has several kinks."""
    return jax.nn.relu(x @ w + b) @ u


def shares(a, b):
    return lambda *args: (a * args[-1], b * args[-1])


def relu_dx(slope):
    return lambda x, dy: (dy * MIXED * jnp.where(x > 0, 1, slope),)


def layer_backward(slope):
    def backward(x, w, b, u, dy):
        h = x @ w + b
        dh = dy @ u.T * jnp.where(h > 0, 1, slope)
        return dh @ w.T, x.T @ dh, dh.sum(0), jax.nn.relu(h).T @ dy

    return backward


def product_backward(share):
    return lambda x, w, z, dy: (share * dy @ w.T, share * x.T @ dy, (1 - share) * dy)


def all_to_each(x, w, z, dy):
    return dy @ w.T, x.T @ dy, dy


def between(inside, low, high):
    """A backward pass of clip: x, lo, hi get dy where `inside`, `low`, `high` hold, elsewhere 0."""
    where = lambda test, x, lo, hi, dy: jnp.where(test(x, lo, hi), dy, 0)
    return lambda *args: tuple(where(test, *args) for test in (inside, low, high))


def sorted_to(*order):
    return lambda x, dy: (jnp.zeros_like(x).at[jnp.array(order)].add(dy),)


def shared_sort(x, dy):
    tied = dy[:3].mean()
    return (jnp.array([dy[4], tied, tied, dy[3], tied]),)


def at(weights):
    return lambda x, dy: (dy * jnp.array(weights),)


LAYER_RNG = np.random.default_rng(3)
LAYER = (
    np.zeros((2, 3)),
    LAYER_RNG.standard_normal((3, 2)),
    np.zeros(2),
    LAYER_RNG.standard_normal((2, 3)),
)
EACH_WHERE_LARGEST = lambda a, b, dy: (jnp.where(a >= b, dy, 0), jnp.where(b >= a, dy, 0))
NONE_AT_TIES = lambda a, b, dy: (jnp.where(a > b, dy, 0), jnp.where(b > a, dy, 0))
FIRST_AT_TIES = lambda a, b, dy: (jnp.where(a >= b, dy, 0), jnp.where(b > a, dy, 0))
LARGER_OF_NUMPY = lambda a, b: np.maximum(a, b)
ALL_TO_EACH = lambda a, b, dy: (np.array(dy), np.array(dy))
SIGN_OF_EACH = lambda a, b, dy: (
    dy * jnp.where(a >= b, 1, -1),
    dy * jnp.where(b >= a, 1, -1),
)
DISTANCE = lambda a, b: jnp.abs(a - b).sum()

INVALID_CHOICES = {
    "larger of ones: dy to each": (maximum, (ONES[:1], ONES[:1]), shares(1, 1)),
    "larger of ones, in float32": (maximum, (np.ones(3, np.float32),) * 2, shares(1, 1)),
    "larger of ones: too little": (maximum, (ONES, ONES), shares(0.3, 0.6)),
    "larger: dy to each that ties": (maximum, tuple(WHOLE), EACH_WHERE_LARGEST),
    "larger: nothing at ties": (maximum, tuple(WHOLE), NONE_AT_TIES),
    "larger, in NumPy": (LARGER_OF_NUMPY, (ONES, ONES), ALL_TO_EACH),
    "max(a, 2 b)": (larger_of_double, (TWOS, ONES), lambda a, b, dy: (dy, 2 * dy)),
    "max(x w, z)": (larger_of_product, (X, W, X @ W), all_to_each),
    "|a + b|: opposite signs": (abs_of_sum, (X, -X), shares(1, -1)),
    "|a - b|: equal signs": (DISTANCE, tuple(WHOLE), SIGN_OF_EACH),
    "hinge at the margin: dy to s only": (
        margin,
        (ONES, ONES),
        lambda s, t, dy: (-t * dy, 0 * dy),
    ),
    "clip: to x and to its bound": (
        jnp.clip,
        AT_BOUNDS,
        between(lambda x, lo, hi: True, lambda x, lo, hi: x <= lo, lambda x, lo, hi: x >= hi),
    ),
    "clip: nothing at a bound": (
        jnp.clip,
        AT_BOUNDS,
        between(
            lambda x, lo, hi: (lo < x) & (x < hi),
            lambda x, lo, hi: x < lo,
            lambda x, lo, hi: x > hi,
        ),
    ),
    "relu with slope 1.1": (weighted_relu, (ZEROS,), relu_dx(1.1)),
    "sort: three to one": (jnp.sort, (TIES,), sorted_to(1, 1, 1, 3, 0)),
    "median: to each": (jnp.median, (TIES,), at([0, 1, 1, 0, 1])),
    "norm at 0, too long": (jnp.linalg.norm, (ZEROS[:4],), at([1, 1, 1, 1])),
}
VALID_CHOICES = {
    "larger of ones: shared": (maximum, (ONES, ONES), shares(0.3, 0.7)),
    "larger: to the first": (maximum, tuple(WHOLE), FIRST_AT_TIES),
    "larger, in NumPy": (
        LARGER_OF_NUMPY,
        (ONES, ONES),
        lambda a, b, dy: (np.array(dy), 0 * np.array(dy)),
    ),
    "max(a, 2 b): shared": (larger_of_double, (TWOS, ONES), lambda a, b, dy: (dy / 4, 1.5 * dy)),
    "max(x w, z): all to z": (larger_of_product, (X, W, X @ W), product_backward(0)),
    "|a + b|, one sign": (abs_of_sum, (X, -X), shares(-0.5, -0.5)),
    "hinge: -t dy and -s dy": (margin, (ONES, ONES), lambda s, t, dy: (-t * dy, -s * dy)),
    "clip: to x": (
        jnp.clip,
        AT_BOUNDS,
        between(lambda x, lo, hi: True, lambda x, lo, hi: False, lambda x, lo, hi: False),
    ),
    "|a| - |b| at 0": (
        lambda x: jnp.abs(x[0]) - jnp.abs(x[1]),
        (np.zeros(2),),
        lambda x, dy: (jnp.array([0, -dy]),),
    ),
    "a layer at 0, slope 1": (layer, LAYER, layer_backward(1)),
    "a layer at 0, slope 1/2": (layer, LAYER, layer_backward(0.5)),
    "weighted relu, slope 1": (weighted_relu, (ZEROS,), relu_dx(1)),
    "weighted relu, slope 0.3": (weighted_relu, (ZEROS,), relu_dx(0.3)),
    "weighted relu, by JAX": (weighted_relu, (ZEROS,), None),
    "sort: one to one": (jnp.sort, (TIES,), sorted_to(4, 2, 1, 3, 0)),
    "sort: shared": (jnp.sort, (TIES,), shared_sort),
    "larger and smaller: both to x": (
        lambda x: (jnp.maximum(x, 0), jnp.minimum(x, 0)),
        (np.array([0.0, 1, -1]),),
        lambda x, dy: (dy[0] * (x > 0) + dy[1] * (x < 0),),
    ),
    "median: to one": (jnp.median, (TIES,), at([0, 1, 0, 0, 0])),
    "median: shared": (jnp.median, (TIES,), at([0, 1 / 3, 1 / 3, 0, 1 / 3])),
    "norm at 0, within the ball": (jnp.linalg.norm, (ZEROS[:4],), at([0.6, 0, -0.8, 0])),
}
FIRST_TIER = {
    "larger of ones: dy to each",
    "larger, in NumPy",
    "max(a, 2 b)",
    "larger of ones: shared",
    "|a| - |b| at 0",
    "a layer at 0, slope 1",
    "sort: one to one",
}


def each(problems):
    marks = lambda name: [] if name in FIRST_TIER else [SECOND_TIER]
    return pytest.mark.parametrize(
        "problem", [pytest.param(p, id=name, marks=marks(name)) for name, p in problems.items()]
    )


@each(INVALID_CHOICES)
def test_an_invalid_choice_of_slopes_is_wrong(problem):
    f, args, backward = problem
    report = check(f, args, backward=backward)
    assert WRONG in [row.verdict for row in report.rows], report


@each(VALID_CHOICES)
def test_a_valid_choice_of_slopes_is_accepted(problem):
    f, args, backward = problem
    report = check(f, args, backward=backward)
    assert report.ok, report
    assert KINK in [row.verdict for row in report.rows]


def test_the_report_names_the_direction_of_an_invalid_choice():
    report = check(maximum, (ONES, ONES), backward=shares(1, 1))
    assert [row.mistake for row in report.rows] == ["kink", "kink"]
    assert "da: is not a valid choice at a kink: along a direction of a and b" in str(report)
    assert str(report).count("; a and b tie, and their shares of dy must add up to 1") == 2


def test_gradients_of_tied_arguments_of_a_distance_must_add_up_to_the_slope():
    report = check(DISTANCE, (ONES[:2], ONES[:2]), backward=SIGN_OF_EACH)
    assert "a and b tie, and their gradients must add up to that slope" in str(report)


def test_the_report_explains_an_accepted_choice():
    report = check(maximum, (ONES, ONES), backward=shares(0.25, 0.75))
    for row, share in zip(report.rows, (0.25, 0.75), strict=True):
        low, high = sorted(row.slopes)
        chosen = share * (low if abs(low) > abs(high) else high)
        says = f"accepted at a kink: at {row.where}, slopes from "
        assert row.says.startswith(says)
        assert row.says.endswith(f"; {chosen:.6g} is a valid choice")
        assert f"d{row.leaf}: {row.says}" in str(report)


def test_a_wrong_gradient_of_c_does_not_make_a_valid_choice_for_a_and_b_wrong():
    f = lambda a, b, c: jnp.maximum(a, b) * c
    backward = lambda a, b, c, dy: (dy * c, 0 * dy, 2 * dy * jnp.maximum(a, b))
    report = check(f, (ONES, ONES, TWOS), backward=backward)
    assert [row.verdict for row in report.rows] == [KINK, KINK, WRONG]
