"""Mutants of pooling and resizing: wrong ties, wrong cut-off windows, missing counts."""

from functools import partial

import jax.numpy as jnp
import numpy as np

from experiments.checkers.build import correct_backward, problem
from fcnn import (
    adaptive_max_pool,
    avg_pool,
    global_avg_pool,
    global_max_pool,
    lp_pool,
    max_pool,
    resize_linear,
    resize_nearest,
)
from fcnn.ops.pooling.pool_windows import pool_windows
from fcnn.ops.taps import taps, taps_adjoint

of = partial(problem, "pooling")
ragged = partial(of, "ragged window")
ties = partial(of, "ties")
skipped = partial(of, "positions skipped")
shifted = partial(of, "shifted")
mean = partial(of, "mean for sum")
sum_ = partial(of, "sum for mean")
entry = partial(of, "single entry")

GRID = ((4, 9, 12, 5),)
RAGGED = ((4, 7, 11, 5),)
MILLION = ((1, 1000, 1000, 1),)

pool = partial(avg_pool, window=3)
cut_off = partial(avg_pool, window=3, ceil_mode=True)
wide = partial(avg_pool, window=3, padding=1, stride=2)
sparse = partial(avg_pool, window=3, stride=4)
largest = partial(max_pool, window=3)
largest_cut_off = partial(max_pool, window=3, ceil_mode=True)
overlapping = partial(max_pool, window=3, stride=2)
bins = partial(adaptive_max_pool, size=(3, 4))
norm = partial(lp_pool, window=3)
cubic = partial(lp_pool, window=3, p=3)
larger = partial(resize_nearest, size=(15, 21))
smooth = partial(resize_linear, size=(15, 21))
largest_of_row = lambda x: x.max(1)


def rectified(*shape):
    """Arrays with many zeros, as after relu, and some equal values."""
    return lambda rng: np.maximum(rng.integers(-3, 4, shape), 0).astype(float)


def every_largest(f, window):
    """dx of max pooling in which every cell that equals the maximum y of its window gets dy."""

    def dx(x, y, dy):
        at = pool_windows(x, window, f.keywords.get("stride"), "valid", 1, False)
        return taps_adjoint([jnp.where(part == y, dy, 0) for part in taps(x, at)], at)

    return dx


def undivided(x, y, dy):
    """dx of avg_pool: dy / 3² in every window, even in the smaller windows at the end."""
    at = pool_windows(x, 3, None, "valid", 1, True)
    return taps_adjoint([dy / 9] * 9, at)


def thrice(dy):
    """Copy the value of each 3×3 window to all its cells."""
    return jnp.repeat(jnp.repeat(dy, 3, 1), 3, 2)


def without_last(f):
    """dx of f without the gradient of the last window along each axis."""
    return lambda x, dy: correct_backward(f)(x, dy.at[:, -1].set(0).at[:, :, -1].set(0))[0]


def fill_gaps(g):
    """Each cell in the gap between two windows gets the gradient of the window before it."""
    nearest = jnp.arange(g.shape[1]) // 4 * 4, jnp.arange(g.shape[2]) // 4 * 4
    return g[:, nearest[0]][:, :, nearest[1]]


MUTANTS = (
    ragged("avg_pool: last window by all of 3²", cut_off, RAGGED, dx=undivided),
    ragged("avg_pool: last window dropped", cut_off, RAGGED, dx=without_last(cut_off)),
    ragged(
        "max_pool: last window dropped", largest_cut_off, RAGGED, dx=without_last(largest_cut_off)
    ),
    ragged(
        "lp_pool: last window dropped",
        partial(norm, ceil_mode=True),
        RAGGED,
        dx=without_last(partial(norm, ceil_mode=True)),
    ),
    ragged(
        "avg_pool 1-D: last window by 3",
        cut_off,
        ((4, 11, 5),),
        dx=lambda x, dy: jnp.repeat(dy / 3, 3, 1)[:, :11],
    ),
    ties(
        "max_pool: dy to each of the largest",
        largest,
        (rectified(4, 9, 12, 5),),
        dx=every_largest(largest, 3),
    ),
    ties(
        "max_pool, overlapping: dy to each",
        overlapping,
        (rectified(4, 9, 11, 5),),
        dx=every_largest(overlapping, 3),
    ),
    ties(
        "global_max_pool: dy to each",
        global_max_pool,
        (rectified(4, 7, 8, 5),),
        dx=lambda x, y, dy: jnp.where(x == y[:, None, None], dy[:, None, None], 0),
    ),
    ties(
        "largest of a row: dy to each",
        largest_of_row,
        (rectified(5, 7),),
        dx=lambda x, y, dy: jnp.where(x == y[:, None], dy[:, None], 0),
    ),
    skipped(
        "max_pool: the first window alone",
        largest,
        GRID,
        dx=lambda g: jnp.zeros_like(g).at[:, :3, :3].set(g[:, :3, :3]),
    ),
    skipped(
        "avg_pool: one cell of each window",
        pool,
        GRID,
        dx=lambda g: jnp.zeros_like(g).at[:, ::3, ::3].set(g[:, ::3, ::3]),
    ),
    skipped("avg_pool, stride 4: gaps filled", sparse, ((4, 11, 15, 5),), dx=fill_gaps),
    shifted("max_pool: the cell after the largest", largest, GRID, dx=lambda g: jnp.roll(g, 1, 2)),
    shifted("avg_pool: by the padding", wide, GRID, dx=lambda g: jnp.roll(g, 1, 1)),
    sum_("avg_pool: not divided", pool, GRID, dx=lambda dy: thrice(dy)),
    sum_(
        "global_avg_pool: not divided",
        global_avg_pool,
        ((4, 7, 8, 5),),
        dx=lambda x, dy: x * 0 + dy[:, None, None],
    ),
    sum_(
        "global_avg_pool: not divided, of 10⁵",
        global_avg_pool,
        ((3, 150, 125, 2),),
        dx=lambda x, dy: x * 0 + dy[:, None, None],
    ),
    mean("resize_nearest: averaged over copies", larger, ((4, 5, 7, 3),), dx=lambda g: g / 9),
    of("constant factor", "avg_pool: by 3, not 3²", pool, GRID, dx=lambda dy: thrice(dy / 3)),
    of("wrong below zero", "lp_pool: sign forgotten", cubic, GRID, dx=lambda x, g: jnp.sign(x) * g),
    of("missing factor", "lp_pool: 1 / y forgotten", norm, GRID, dx=lambda x, dy: x * thrice(dy)),
    of(
        "not finite",
        "lp_pool: 0/0",
        norm,
        (lambda rng: rng.standard_normal((4, 9, 12, 5)) * (np.arange(9) > 3)[:, None, None],),
        dx=lambda x, y, dy: x * thrice(dy / y),
    ),
    of(
        "wrong derivative",
        "resize_linear: as nearest",
        smooth,
        ((4, 5, 7, 3),),
        dx=lambda x, dy: correct_backward(larger)(x, dy)[0],
    ),
    of(
        "border dropped",
        "resize_linear: interior alone",
        smooth,
        ((4, 5, 7, 3),),
        dx=lambda x, g: jnp.zeros_like(x).at[:, 1:-1, 1:-1].set(g[:, 1:-1, 1:-1]),
    ),
    of("stopped", "max_pool: zeros", largest, GRID, dx=lambda x: jnp.zeros_like(x)),
    of("stopped", "adaptive_max_pool: none", bins, GRID, dx=None),
    entry(
        "max_pool: one × 1.1 of 10⁶",
        partial(max_pool, window=2),
        MILLION,
        dx=lambda x, g: jnp.where(g == g.max(), 1.1 * g, g),
    ),
)
