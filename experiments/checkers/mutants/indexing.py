"""Mutants of indexing: wrong sums of repeated rows, indices off by one, misplaced slices."""

from functools import partial

import jax.numpy as jnp

from experiments.checkers.build import ints, problem
from fcnn import embedding

of = partial(problem, "indexing")
shifted = partial(of, "shifted")
flipped = partial(of, "flipped")
skipped = partial(of, "positions skipped")
border = partial(of, "border dropped")
mean = partial(of, "mean for sum")
entry = partial(of, "single entry")

TABLE = ((11, 4), ints((7, 5), 11))
SOME = ((11, 4), ints((7, 5), 8))
LARGE = ((1000, 128), ints((70, 31), 1000))
X = ((7, 5),)

shift = lambda x: jnp.roll(x, 1, 0)
reverse = lambda x: 3 * x[::-1]
pad = lambda x: jnp.pad(x, 1)
every_third = lambda x: x[::3]
difference = lambda x: x[1:] - x[:-1]
moving_average = lambda x: (x[2:] + x[1:-1] + x[:-2]) / 3
side_by_side = lambda a, b: jnp.concatenate([a, b])
rows = lambda x, ids: x[ids]


def overwritten(ids, dy, g):
    """The gradient in which each row gets only the dy of its last occurrence."""
    return jnp.zeros_like(g).at[ids].set(dy)


def as_mean(g, ids):
    """Each row's gradient, divided by the count of that row in ids: 0/0 if ids lacks the row."""
    return g / jnp.zeros_like(g[:, :1]).at[ids].add(1)


def largest_off(g):
    return jnp.where(g == g.max(), 1.1 * g, g)


def at_others(x, ids, dy):
    return jnp.zeros_like(x).at[(ids + 1) % len(x)].add(dy)


MUTANTS = (
    of(
        "missing sum term",
        "embedding: the last reading alone",
        embedding,
        TABLE,
        dtable=overwritten,
    ),
    of(
        "missing sum term",
        "rows: the last reading alone",
        rows,
        ((5, 7), ints((11,), 5)),
        dx=overwritten,
    ),
    shifted("embedding: ids from 1", embedding, TABLE, dtable=lambda g: jnp.roll(g, 1, 0)),
    shifted("embedding, 128,000: ids from 1", embedding, LARGE, dtable=lambda g: jnp.roll(g, 1, 0)),
    shifted("rows: the next ones", rows, ((11, 4), ints((5,), 11)), dx=at_others),
    shifted("shift: dy", shift, X, dx=lambda dy: dy),
    shifted("shift: the same way again", shift, X, dx=lambda dy: jnp.roll(dy, 1, 0)),
    shifted("pad: cropped at the end", pad, X, dx=lambda dy: dy[:-2, :-2]),
    flipped("reverse: 3 dy", reverse, X, dx=lambda dy: 3 * dy),
    border("difference: interior alone", difference, X, dx=lambda g: g.at[0].set(0).at[-1].set(0)),
    border(
        "moving average: interior alone",
        moving_average,
        X,
        dx=lambda g: g.at[:2].set(0).at[-2:].set(0),
    ),
    skipped("every third: gaps filled", every_third, X, dx=lambda dy: jnp.repeat(dy, 3, 0)[:7]),
    of(
        "arguments exchanged",
        "side by side: db first",
        side_by_side,
        X * 2,
        da=lambda db: db,
        db=lambda da: da,
    ),
    mean("embedding: over ids", embedding, TABLE, dtable=lambda g, ids: g / ids.size),
    of("not finite", "embedding: over readings, 0/0", embedding, SOME, dtable=as_mean),
    of("stopped", "embedding: none", embedding, TABLE, dtable=None),
    entry("embedding: one × 1.1 of 128,000", embedding, LARGE, dtable=largest_off),
)
