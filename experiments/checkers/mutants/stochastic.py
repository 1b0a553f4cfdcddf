"""Mutants of dropout: a mask that is missing or drawn again, or a wrong scale."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.build import correct_backward, key, problem
from fcnn import classic_dropout, dropout, spatial_dropout, stochastic_depth

of = partial(problem, "stochastic")
mask = partial(of, "dropout mask")
scale = partial(of, "dropout scale")

X = ((7, 11), key)
IMAGES = ((7, 3, 4, 5), key)
LARGE = ((500, 301), key)

drop = partial(dropout, rate=0.3)
drop_channels = partial(spatial_dropout, rate=0.3)
drop_examples = partial(stochastic_depth, rate=0.4)
training = partial(classic_dropout, rate=0.3, train=True)
later = partial(classic_dropout, rate=0.3, train=False)


def with_key(f, change):
    """dx of f with the mask of change(key), which differs from the mask of the forward pass."""
    return lambda x, key, dy: correct_backward(f)(x, change(key), dy)[0]


split = lambda key: jax.random.split(key)[0]
same = lambda key: jax.random.key(0)


def by_numpy(x, dy):
    return jnp.where(np.random.random(x.shape) < 0.7, dy / 0.7, 0)


MUTANTS = (
    mask("dropout: forgotten", drop, X, dx=lambda dy: dy / 0.7),
    mask("dropout: what was dropped", drop, X, dx=lambda dy, g: dy / 0.7 - g),
    mask("dropout: drawn anew", drop, X, dx=with_key(drop, split)),
    mask("dropout: of another key", drop, X, dx=with_key(drop, same)),
    mask("dropout, 150,500: drawn anew", drop, LARGE, dx=with_key(drop, split)),
    mask(
        "spatial_dropout: of each entry", drop_channels, IMAGES, dx=with_key(drop, lambda key: key)
    ),
    mask("stochastic_depth: forgotten", drop_examples, IMAGES, dx=lambda dy: dy / 0.6),
    mask("classic_dropout: forgotten", training, X, dx=lambda dy: dy),
    scale("dropout: 1", drop, X, dx=lambda g: g * 0.7),
    scale("dropout: 1 - rate", drop, X, dx=lambda g: g * 0.7 * 0.7),
    scale("dropout: 1 / rate", drop, X, dx=lambda g: g * 0.7 / 0.3),
    scale("dropout: twice", drop, X, dx=lambda g: g / 0.7),
    scale("dropout, 150,500: 1", drop, LARGE, dx=lambda g: g * 0.7),
    scale("spatial_dropout: 1", drop_channels, IMAGES, dx=lambda g: g * 0.7),
    scale("stochastic_depth: 1", drop_examples, IMAGES, dx=lambda g: g * 0.6),
    scale("classic_dropout: of the inverted form", training, X, dx=lambda g: g / 0.7),
    scale("classic_dropout, later: 1", later, X[:1], dx=lambda dy: dy),
    of("not deterministic", "dropout: by NumPy's generator", drop, X, dx=by_numpy),
    of("missing factor", "dropout: dy forgotten", drop, X, dx=lambda dy, g: g / dy),
    of("stopped", "dropout: none", drop, X, dx=None),
    of(
        "single entry",
        "stochastic_depth: the largest 0",
        drop_examples,
        IMAGES,
        dx=lambda g: jnp.where(g == g.max(), 0, g),
    ),
)
