"""The choice of a step of finite differences, from the slopes at a series of steps.

Each array has one number per step, from the largest step to the smallest:

    central     half of sum (left + right): the slope
    width       sum |right - left|
    size        sum |left| + |right|
    noise       the error that rounding can cause in `central`

`ratio` is the ratio of two successive steps.
"""

from typing import NamedTuple

import numpy as np

ROUNDINGS = 8  # units in the last place: the expected error of an output
SETTLED = 0.01  # relative change below which a slope no longer depends on the step
# At a kink, sum |right - left| varies by at most this factor between steps. Elsewhere it falls with
# h, or rises by rounding.
FLAT = 3


class Slope(NamedTuple):
    """The slope along a direction, and its error bar."""

    value: float
    bar: float


def coarseness(width, size, steps):
    """The resolution of f: y does not show changes that are smaller than this.

    The resolution is ROUNDINGS times the slope of f times the largest step at which y stays the
    same. The slope is the median over the steps at which the two sides agree. Without steps of
    both kinds, the resolution is 0.
    """
    smooth, still = (size > 0) & (width <= SETTLED * size), np.flatnonzero(size == 0)
    if not (smooth.any() and still.size):
        return 0.0
    return float(ROUNDINGS * np.median(size[smooth]) / 2 * steps[still[0]])


def best_step(central, width, size, noise):
    """The index of the step with the smallest relative error, and whether this error is small.

    The error is the difference of the two sides, plus noise, plus the change of slope to the next
    step. If y stays the same at a step, then f is constant there or computes in lower precision
    than x. In the second case, the two sides agree at larger steps, and one of these is chosen.
    """
    off = width + noise + np.append(np.abs(np.diff(central)), 0)
    off = np.where(np.isfinite(off), off, np.inf)
    share = np.where(size > 0, off / np.where(size > 0, size, 1), np.inf)
    settled = bool(share.min() < SETTLED)
    return int(share.argmin() if settled else off.argmin()), settled


def beyond_a_kink(width, noise, ratio):
    """Mask of the steps that reach beyond a kink near x: the two sides differ as at the next step.

    Where f is smooth, their difference falls with the step.
    """
    following = np.append(width[1:], 0)
    return (width > 10 * noise) & (following * np.sqrt(ratio) > width)


def extrapolated(central, noise, usable, ratio):
    """The extrapolated slope with the smallest relative error bar.

    The error bar is the difference from the slopes at the neighbouring steps, plus noise.
    """
    r = ratio**2
    better = (r * central[1:] - central[:-1]) / (r - 1)
    off = np.abs(np.diff(better))
    bars = np.maximum(off[1:], off[:-1]) + noise[2:-1]
    bars = np.where(usable[1:-2] & usable[2:-1], bars, np.inf)
    if not np.isfinite(bars).any():
        return Slope(float("nan"), float("inf"))
    bars, size = np.where(np.isfinite(bars), bars, np.inf), np.abs(better[1:-1])
    share = np.where(size > 0, bars / np.where(size > 0, size, 1), np.inf)
    best = int(share.argmin() if share.min() < SETTLED else bars.argmin())
    return Slope(float(better[best + 1]), float(3 * bars[best]))


def is_flat(width, noise, best, ratio):
    """Whether three successive widths, one at `best`, agree within FLAT and exceed the noise."""
    flat = min(FLAT, ratio**0.75)
    for start in range(max(0, best - 2), min(best, len(width) - 3) + 1):
        three = width[start : start + 3]
        if three.min() > 10 * noise[best] and three.max() <= flat * three.min():
            return True
    return False
