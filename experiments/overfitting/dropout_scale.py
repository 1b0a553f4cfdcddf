"""The scale of dropout, by the mean over all masks.

With k ∈ {0, 1}^n, each entry 1 with probability 1 - p:

    classic    train  k x              E = (1 - p) x         evaluate  (1 - p) x
    inverted   train  k x / (1 - p)    E = x                 evaluate  x
    printed    train  k x              E = (1 - p) x         evaluate  p x

Some textbooks print the last line: the scale is the probability of dropping. It is wrong but for
p = 1/2.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

import fcnn
from fcnn.layers import dropout

RATES = tuple(i / 10 for i in range(1, 10))
ENTRIES, COPIES = 10, 1000
ROUNDING = 1e-6  # relative to the largest entry
CHANCE = 0.025  # of a share of zeros in 10,000 entries: five standard deviations


def correct_scales() -> dict[str, list[bool]]:
    """For each form, and each of RATES, whether evaluation gives the mean of training."""
    x = np.linspace(-1, 2.5, ENTRIES, dtype=np.float32)  # no entry is 0
    found: dict[str, list[bool]] = {"classic": [], "inverted": [], "printed": []}
    for rate in RATES:
        given = jnp.asarray(x)
        classic_form = np.asarray(fcnn.classic_dropout(given, rate=rate, train=False))
        inverted_form = np.asarray(dropout(rate).apply({}, {}, given[None])[0][0])
        close = lambda y, mean: bool(np.abs(y - mean).max() <= ROUNDING * np.abs(x).max())
        classic, inverted = mean_over_masks(x, rate), mean_over_masks(x / (1 - rate), rate)
        draws = as_drawn(x, rate)
        found["classic"].append(close(classic_form, classic) and draws["classic"])
        found["inverted"].append(close(inverted_form, inverted) and draws["inverted"])
        found["printed"].append(close(rate * x, classic))
    return found


def mean_over_masks(x: np.ndarray, rate: float) -> np.ndarray:
    """The mean of k x over all masks k, each with its probability."""
    masks = np.array(list(itertools.product((0, 1), repeat=len(x))))
    kept = masks.sum(1)
    probability = (1 - rate) ** kept * rate ** (len(x) - kept)
    return probability @ (masks * x.astype(float))


def as_drawn(x: np.ndarray, rate: float) -> dict[str, bool]:
    """Whether fcnn's training forms give 0 or k x, and 0 or k x / (1 - p), with a random mask."""
    key, many = jax.random.key(0), np.tile(x, COPIES)
    classic = np.asarray(fcnn.classic_dropout(jnp.asarray(many), key, rate=rate, train=True))
    inverted = np.asarray(fcnn.dropout(jnp.asarray(many), key, rate=rate))
    return {
        "classic": masked(classic, many, rate),
        "inverted": masked(inverted, many / (1 - rate), rate),
    }


def masked(y: np.ndarray, scaled: np.ndarray, rate: float) -> bool:
    """Whether entries of y are 0 with probability `rate`, and else equal to those of `scaled`."""
    dropped = y == 0
    right = np.allclose(y, np.where(dropped, 0, scaled), rtol=ROUNDING, atol=0)
    return right and abs(float(dropped.mean()) - rate) < CHANCE
