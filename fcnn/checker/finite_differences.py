"""Slopes by finite differences, which share no code with the claimed gradient or autodiff.

Along v, at step h, each output y[k] has two one-sided slopes, weighted by its cotangent dy[k]:

    right[k] = dy[k] (y[k](x + h v) - y[k](x)) / h
    left[k]  = dy[k] (y[k](x) - y[k](x - h v)) / h

Where f is smooth, both tend to one slope as h falls, and half of sum (left + right) has an error of
O(h²). Extrapolation leaves an error of O(h⁴). The rounding error grows as 1 / h and is larger at
small h. At a kink, left and right differ for every h. Any slope between left[k] and right[k] is
then valid for output k, so a valid <G, v> lies between sum min(left, right) and
sum max(left, right). A kink at less than h from x looks like a kink at x, so `Slopes.close`
continues with smaller steps.

If an output k has several kinks at once, as |a| - |b| at 0, valid slopes may lie outside left[k]
and right[k]. The slopes along v at points near x are valid too; forward autodiff gives them
exactly.
"""

from collections.abc import Iterator
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from fcnn.checker.compiled import CompiledSubject
from fcnn.checker.subject import Leaves

ROUNDINGS = 8  # units in the last place: the expected error of an output
RATIO = 8  # ratio of two successive steps h in `Slopes.close`
SETTLED = 0.01  # relative change below which a slope no longer depends on the step
NEARBY = 32  # number of points near x
# At a kink, sum |right - left| varies by at most this factor between steps. Elsewhere it falls with
# h, or rises by rounding.
FLAT = 3


class Slope(NamedTuple):
    """The slope along a direction, and its error bar."""

    value: float
    bar: float


class Close(NamedTuple):
    """Result of `Slopes.close`: one slope where f is smooth, an interval of slopes at a kink."""

    slope: Slope
    low: float
    high: float
    kinked: bool

    def admits(self, value: float, slack: float = 0.0) -> bool:
        """Whether `value` is a valid slope."""
        if self.kinked:
            slack += 1e-6 * (self.high - self.low)
            return bool(self.low - slack <= value <= self.high + slack)
        return bool(abs(value - self.slope.value) <= self.slope.bar + slack)


class Slopes:
    """Slopes of <dy, f> around x. An output that is not finite at x has no slope."""

    def __init__(self, compiled: CompiledSubject, dy: Leaves):
        self.compiled = compiled
        self.y, self.dy = flat(compiled.y), flat(dy)
        self.counts = np.isfinite(self.y)
        self.eps = max(float(jnp.finfo(a.dtype).eps) for a in [*compiled.x, *compiled.y])
        self.h = 2.0 ** round(np.log2(self.eps) * 0.38)  # 2^-20 in float64, 2^-9 in float32
        self.sizes = [size_of(a) for a in compiled.x]
        self.distance = 256 * self.eps  # from x to points nearby, relative to the size of a leaf
        self.parts = self.dy * np.where(self.counts, self.y, 0)
        self.rounding = ROUNDINGS * self.eps * float(np.linalg.norm(self.parts))

    def along(self, v: Leaves) -> Slope:
        """The slope along v, from four values of f."""
        coarse, fine = self._central(v, self.h), self._central(v, self.h / 2)
        bar = 3 * abs(fine - coarse) + self.rounding / self.h
        return Slope((4 * fine - coarse) / 3, bar)

    def close(self, v: Leaves) -> Close:
        """The slope along v, or the interval of slopes at a kink, from about 30 values of f."""
        steps = [h for k in range(14) if (h := RATIO ** -(k + 1.5)) > 8 * self.eps]
        sides = [self._sides(v, h) for h in steps]
        central = np.array([(left + right).sum() / 2 for left, right in sides])
        width = np.array([np.abs(right - left).sum() for left, right in sides])
        size = np.array([np.abs(left).sum() + np.abs(right).sum() for left, right in sides])
        bends = [h * np.linalg.norm(up - down) for h, (down, up) in zip(steps, sides, strict=True)]
        coarse = _coarseness(width, size, steps)
        # At the smallest steps, the two sides differ only by rounding.
        floor = max(self.rounding, np.nan_to_num(bends[-2:]).max(), coarse)
        noise = floor / np.array(steps) + 2 * self.eps * np.nan_to_num(size) / np.array(steps)
        best = _best(central, width, size, noise)
        left, right = sides[best]
        low = float(np.minimum(left, right).sum() - noise[best])
        high = float(np.maximum(left, right).sum() + noise[best])
        slope = _extrapolated(central, noise)
        # A slope outside the interval was found at steps that reach beyond a kink.
        if not low - slope.bar <= slope.value <= high + slope.bar:
            slope = Slope((low + high) / 2, (high - low) / 2)
        return Close(slope, low, high, _is_flat(width, noise, best))

    def nearby_admits(
        self, value: float, v: Leaves, rng: np.random.Generator, slack: float
    ) -> bool:
        """Whether `value` can be the sum over outputs of slopes along v at points near x.

        An output with n kinks has up to 2ⁿ such slopes. All of them are within √n standard
        deviations of their mean, and nearly all are within 4 standard deviations. So the interval
        of slopes at a few points is widened to this distance from the mean. An output whose slope
        does not vary nearby gets its slope from finite differences.
        """
        each = []
        for x in self.nearby(rng):
            Jv = self.compiled.jvp(x, v)
            if Jv is None:
                return False
            each.append(np.nan_to_num(self.dy * flat(Jv)))
        slopes = np.sort(each, 0)
        least, most = slopes[0], slopes[-1]
        varies = most - least > SETTLED * np.maximum(np.abs(least), np.abs(most))
        kinds = 1 + (np.diff(slopes, axis=0) > SETTLED * (most - least)).sum(0)
        wide = np.where(kinds > 2, np.minimum(np.sqrt(kinds), 4), 0) * slopes.std(0)
        sides = np.array(self._sides(v, self.h / 64))
        low, high = sides.min(0), sides.max(0)
        low = np.where(varies, np.minimum(low, np.minimum(least, slopes.mean(0) - wide)), low)
        high = np.where(varies, np.maximum(high, np.maximum(most, slopes.mean(0) + wide)), high)
        slack += 64 * self.rounding / self.h
        return bool(varies.any() and low.sum() - slack <= value <= high.sum() + slack)

    def nearby(self, rng: np.random.Generator) -> Iterator[Leaves]:
        """Random points x + u and x - u near x, where f is smooth, on both sides of each kink."""
        for _ in range(NEARBY // 2):
            far = [self.distance * size for size in self.sizes]
            u = [
                h * rng.standard_normal(a.shape) for a, h in zip(self.compiled.x, far, strict=True)
            ]
            for sign in (1, -1):
                pairs = zip(self.compiled.x, u, strict=True)
                yield [(a + sign * b).astype(a.dtype) for a, b in pairs]

    def kinked(self, directions: list[Leaves]) -> np.ndarray:
        """Mask of the flattened outputs whose left and right slopes differ along any direction."""
        found, h = np.zeros(self.y.shape, bool), self.h / 64
        for v in directions:
            left, right = self._sides(v, h)
            found |= np.abs(right - left) > SETTLED * np.maximum(np.abs(left), np.abs(right))
        return found

    def gap(self, v: Leaves) -> float:
        """The difference of left and right along v at a small step: large at a kink."""
        left, right = self._sides(v, self.h / 64)
        return float(np.abs(right - left).sum())

    def _central(self, v, h):
        left, right = self._sides(v, h)
        return float((left + right).sum() / 2)

    def _sides(self, v, h):
        up, down = (flat(self.compiled.step(v, s)[0]) for s in (h, -h))
        with np.errstate(all="ignore"):
            slopes = self.dy * (self.y - down) / h, self.dy * (up - self.y) / h
        return tuple(np.where(self.counts, side, 0) for side in slopes)


def size_of(x: np.ndarray) -> float:
    """The root mean square of the finite entries of x, or 1 if it is 0."""
    finite = x[np.isfinite(x)].astype(np.float64)
    top = np.abs(finite).max(initial=0)
    return float(top * np.sqrt(np.square(finite / top).mean())) if top > 0 else 1.0


def flat(leaves: Leaves) -> np.ndarray:
    """All entries as one vector in float64."""
    return np.concatenate([np.ravel(a).astype(np.float64) for a in leaves] or [np.zeros(0)])


def _coarseness(width, size, steps):
    """The resolution of f: y does not show changes that are smaller than this.

    The resolution is ROUNDINGS times the slope of f times the largest step at which y stays the
    same. The slope is the median over the steps at which the two sides agree. Without steps of
    both kinds, the resolution is 0.
    """
    smooth, still = (size > 0) & (width <= SETTLED * size), np.flatnonzero(size == 0)
    if not (smooth.any() and still.size):
        return 0.0
    return float(ROUNDINGS * np.median(size[smooth]) / 2 * steps[still[0]])


def _best(central, width, size, noise):
    """The index of the step at which the slope has the smallest relative error.

    The error is the difference of the two sides, plus noise, plus the change of slope to the next
    step. If y stays the same at a step, then f is constant there or computes in lower precision
    than x. In the second case, the two sides agree at larger steps, and one of these is chosen.
    """
    off = width + noise + np.append(np.abs(np.diff(central)), 0)
    off = np.where(np.isfinite(off), off, np.inf)
    share = np.where(size > 0, off / np.where(size > 0, size, 1), np.inf)
    return int(share.argmin() if share.min() < SETTLED else off.argmin())


def _extrapolated(central, noise):
    """The extrapolated slope with the smallest relative error bar.

    The error bar is the difference from the slopes at the neighbouring steps, plus noise.
    """
    r = RATIO**2
    better = (r * central[1:] - central[:-1]) / (r - 1)
    off = np.abs(np.diff(better))
    bars = np.maximum(off[1:], off[:-1]) + noise[2:-1]
    if not np.isfinite(bars).any():
        return Slope(float("nan"), float("inf"))
    bars, size = np.where(np.isfinite(bars), bars, np.inf), np.abs(better[1:-1])
    share = np.where(size > 0, bars / np.where(size > 0, size, 1), np.inf)
    best = int(share.argmin() if share.min() < SETTLED else bars.argmin())
    return Slope(float(better[best + 1]), float(3 * bars[best]))


def _is_flat(width, noise, best):
    """Whether three successive widths, one at `best`, agree within FLAT and exceed the noise."""
    for start in range(max(0, best - 2), min(best, len(width) - 3) + 1):
        three = width[start : start + 3]
        if three.min() > 10 * noise[best] and three.max() <= FLAT * three.min():
            return True
    return False
