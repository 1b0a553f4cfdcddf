"""Inputs for the cases of attention: a mask, and arguments at the limits of half precision."""

import numpy as np

from fcnn.ops.case import normals


def boolean_mask(shape):
    """A boolean mask: mostly True, and False for all keys of the first query."""

    def draw(rng):
        mask = rng.random(shape) < 0.7
        mask[..., 0, :] = False
        return mask

    return draw


def _integers(shape, size=1.0):
    """Small integers times a power of 2, so that scores are exact in every dtype."""
    return lambda rng: size * rng.integers(-3, 4, shape)


def _extremes():
    """Two dictionaries of arguments: extreme scores and masks, and cases where dp almost equals D.

    The gradient of `dot_product_attention` contains dp - D, and "blocked" rounds D differently from
    dp. In the second dictionary, the error of "blocked" is up to four times the error of autodiff,
    and both errors are far larger than one rounding error.
    """
    q, k, v, m = (1, 3, 2, 4), (1, 5, 1, 4), (1, 5, 1, 2), (1, 1, 3, 5)
    full = lambda value: lambda rng: np.full(m, value)
    some = lambda value: lambda rng: np.where(np.indices(m)[-1] % 2, value, 0.0)
    mild = _integers(q), _integers(k), v
    cancelling = {
        "far from 0": (_integers(q), lambda rng: 64 + _integers(k)(rng), v, full(0.0)),
        "one key dominates": (lambda rng: 4 + _integers(q)(rng), _integers(k), v, full(0.0)),
    }
    no_keys = lambda rng: np.where(np.indices(m)[2] == 1, -np.inf, 0)
    extremes = {
        "huge scores": (_integers(q, 2.0**14), _integers(k, 2.0**14), v, full(0.0)),
        "one query without keys": (*mild, no_keys),
    }
    for value in (-1e9, -np.inf, -1.7e308):
        extremes[f"some masked by {value:g}"] = (*mild, some(value))
    for value in (-1e9, -1.7e308):
        extremes[f"all masked by {value:g}"] = (normals(q, 0), k, v, full(value))
    return extremes, cancelling


LENGTHS, OFFSET = (lambda rng: np.array([5, 3, -1])), (lambda rng: np.array([3, 1, 0]))
EXTREMES, CANCELLING = _extremes()
