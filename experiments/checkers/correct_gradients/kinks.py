"""Correct gradients at and near kinks and ties, where a backward pass chooses a slope."""

from functools import partial

import jax.numpy as jnp
import numpy as np

import fcnn
from experiments.checkers.build import ints, numbers, problem

kink = partial(problem, "activation", "kink")
kink_of_loss = partial(problem, "loss", "kink")
tie = partial(problem, "pooling", "tie")
norm = partial(problem, "normalization", "norm at 0")

# Distances to a kink. Some are smaller than the step of a finite difference.
STEPS = np.array([0, 1e-9, -1e-9, 1e-7, -1e-7, 1e-5, -1e-5, 0.4, -0.3])

elu = partial(fcnn.elu, alpha=1.5)
pool = partial(fcnn.max_pool, window=3)
overlapping = partial(fcnn.max_pool, window=3, stride=1)
bins = partial(fcnn.adaptive_max_pool, size=(3, 2))
largest = lambda x: x.max(1)
larger = lambda a, b: jnp.maximum(a, b)
rectified = lambda x: jnp.maximum(x, 0)
signed_square = lambda x: x * jnp.abs(x)
parabola_then_line = lambda x: jnp.where(x < 1, x * x, 2 * x - 1)
three_lines = lambda x: jnp.where(x < -1, -x, jnp.where(x < 2, 1, x - 1))
length = lambda x: jnp.sqrt((x * x).sum(1))


def near(*kinks):
    return lambda rng: (np.array(kinks, float)[:, None] + STEPS).ravel()


def nearly_equal(*shape):
    """Random integers, about half of them increased by 1e-9."""
    return lambda rng: rng.integers(0, 3, shape) + 1e-9 * rng.integers(0, 2, shape)


def whole(*shape):
    return lambda rng: rng.integers(-2, 3, shape).astype(float)


def some_rows_0(rng):
    return rng.standard_normal((5, 7)) * np.array([1, 0, 1, 0, 1])[:, None]


def some_windows_0(rng):
    return rng.standard_normal((3, 9, 6, 4)) * (np.arange(9) > 3)[:, None, None]


def last_largest(x, y, dy):
    """dx of the maximum of each row: the last of its largest entries gets dy."""
    last = x.shape[1] - 1 - (x == y[:, None])[:, ::-1].argmax(1)
    return jnp.zeros_like(x).at[jnp.arange(len(x)), last].set(dy)


def shared(x, y, dy):
    """dx of the maximum of each row: its largest entries share dy equally."""
    wins = (x == y[:, None]).astype(x.dtype)
    return dy[:, None] * wins / wins.sum(1, keepdims=True)


def over_length(x, y, dy):
    """dx of the Euclidean norm of each row, with dx = 0 where the norm is 0."""
    safe = jnp.where(y == 0, 1, y)
    return x * jnp.where(y == 0, 0, dy / safe)[:, None]


CORRECT_GRADIENTS = (
    kink("relu near 0", fcnn.relu, (near(0),)),
    kink("leaky_relu near 0", fcnn.leaky_relu, (near(0),)),
    kink("relu6 near 0 and 6", fcnn.relu6, (near(0, 6),)),
    kink("hard_tanh near -1 and 1", fcnn.hard_tanh, (near(-1, 1),)),
    kink("hard_sigmoid near -3 and 3", fcnn.hard_sigmoid, (near(-3, 3),)),
    kink("hard_swish near -3 and 3", fcnn.hard_swish, (near(-3, 3),)),
    kink("elu near 0", elu, (near(0),)),
    kink("prelu near 0", fcnn.prelu, (lambda rng: near(0)(rng)[:, None] * [1, 3], (2,))),
    kink("relu with slope 1 at 0", rectified, (near(0),), dx=lambda x, dy: jnp.where(x < 0, 0, dy)),
    kink(
        "relu with slope 1/2 at 0",
        rectified,
        (near(0),),
        dx=lambda x, dy: dy * jnp.heaviside(x, 0.5),
    ),
    kink("abs near 0", jnp.abs, (near(0),), dx=lambda x, dy: jnp.sign(x) * dy),
    kink("abs with slope -1 at 0", jnp.abs, (near(0),), dx=lambda x, dy: jnp.where(x > 0, dy, -dy)),
    kink("x |x| near 0", signed_square, (near(0),), dx=lambda x, dy: 2 * jnp.abs(x) * dy),
    kink(
        "parabola, then line, near 1",
        parabola_then_line,
        (near(1),),
        dx=lambda x, dy: 2 * jnp.minimum(x, 1) * dy,
    ),
    kink(
        "three lines near -1 and 2",
        three_lines,
        (near(-1, 2),),
        dx=lambda x, dy: jnp.where(x < -1, -dy, jnp.where(x < 2, 0, dy)),
    ),
    kink(
        "larger of equals: to the first",
        larger,
        (whole(5, 7), whole(5, 7)),
        da=lambda a, b, dy: jnp.where(a >= b, dy, 0),
        db=lambda a, b, dy: jnp.where(a >= b, 0, dy),
    ),
    kink_of_loss("absolute_error at equality", fcnn.absolute_error, (whole(5, 7), whole(5, 7))),
    kink_of_loss("hinge at the margin", fcnn.hinge, (whole(7, 5), ints((7,), 5))),
    kink_of_loss("huber at delta", fcnn.huber, (near(-1, 1), numbers(np.zeros(18)))),
    tie("max_pool: equals", pool, (whole(3, 9, 6, 4),)),
    tie("max_pool, overlapping: equals", overlapping, (whole(3, 7, 5, 4),)),
    tie("max_pool: nearly equal", pool, (nearly_equal(3, 9, 6, 4),)),
    tie("max_pool: all equal", overlapping, (lambda rng: np.ones((1, 5, 4, 3)),)),
    tie("global_max_pool: equals", fcnn.global_max_pool, (whole(3, 5, 4, 7),)),
    tie("global_max_pool: nearly equal", fcnn.global_max_pool, (nearly_equal(3, 5, 4, 7),)),
    tie("adaptive_max_pool: equals", bins, (whole(3, 7, 5, 4),)),
    tie("largest: to the last of equals", largest, (whole(5, 7),), dx=last_largest),
    tie("largest: shared among equals", largest, (whole(5, 7),), dx=shared),
    tie("min_max_scale: equals", fcnn.min_max_scale, (whole(5, 7),)),
    norm("length at 0", length, (some_rows_0,), dx=over_length),
    norm("lp_pool at 0", partial(fcnn.lp_pool, window=3), (some_windows_0,)),
    norm("lp_pool, p = 3, at 0", partial(fcnn.lp_pool, window=3, p=3), (some_windows_0,)),
)
