"""Orientation selectivity of filters, by their response to gratings.

The response of a filter w to a grating of frequency f and angle t, whatever its phase, is

    R(f, t) = |sum_xy w[y,x] exp(2πi f (x cos t + y sin t))|

and the selectivity index is 1 minus the circular variance at the frequency of the largest response:

    index = |sum_t R(f, t) exp(2it)| / sum_t R(f, t)

It is 0 for a filter that responds equally to all angles, and 1 for one that responds to one only.
Source: Ringach, Shapley & Hawken 2002.
"""

import numpy as np

FREQUENCIES = np.arange(0.1, 0.41, 0.05)  # cycles per pixel
ANGLES = np.pi * np.arange(12) / 12
DRAWS, QUANTILE = 10_000, 0.95


def responses(filters: np.ndarray) -> np.ndarray:
    """Shapes: filters (n, height, width) -> (n, frequencies, angles)."""
    y, x = np.indices(filters.shape[1:])
    wave = np.stack([np.cos(ANGLES), np.sin(ANGLES)], -1) @ np.stack([x.ravel(), y.ravel()])
    gratings = np.exp(2j * np.pi * FREQUENCIES[:, None, None] * wave)
    return np.abs(np.einsum("np,fap->nfa", filters.reshape(len(filters), -1), gratings))


def selectivity(filters: np.ndarray) -> np.ndarray:
    """The index of each filter. Shapes: filters (n, height, width) -> (n,)."""
    found = responses(filters)
    best = found.max(2).argmax(1)
    tuned = found[np.arange(len(found)), best]
    return np.abs(tuned @ np.exp(2j * ANGLES)) / tuned.sum(1)


def threshold(side: int) -> float:
    """The index that 5 % of filters with independent normal weights exceed."""
    drawn = np.random.default_rng(0).normal(size=(DRAWS, side, side))
    return float(np.quantile(selectivity(drawn), QUANTILE))
