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
exactly, and finite differences give them for a function that JAX cannot trace.

If f computes in a dtype of lower precision than x, its values near x are a staircase, and steps
below the resolution of this dtype show the stairs only. Then the steps are larger than the
resolution, and the rounding error is measured at steps below it.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from fcnn.checker.compiled import CompiledSubject
from fcnn.checker.steps import (
    ROUNDINGS,
    SETTLED,
    Slope,
    best_step,
    beyond_a_kink,
    coarseness,
    extrapolated,
    is_flat,
)
from fcnn.checker.subject import Leaves

RATIO = 8  # ratio of two successive steps h in `Slopes.close`
NEARBY = 64  # number of points near x
LESS_NEAR = 1e-5  # their distance for finite differences, relative to the size of a leaf
UNSETTLED = 100  # change of y, in units of its rounding error, that shows a slope other than 0
SHARP = 1e-5  # `Slopes.close` finds the resolution of a dtype with a smaller eps by itself
STAIRS = 1.5  # the assumed rounding error, in units of the measured one
DENORMAL = 1e-290  # entries below have parts, of 2^-52 of them, that are denormal


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
        self.sizes = [size_of(a) for a in compiled.x]
        self.distance = 1024 * self.eps  # from x to points nearby, relative to the size of a leaf
        self.parts = self.dy * np.where(self.counts, self.y, 0)
        self.norm = float(np.linalg.norm(self.parts))

    @cached_property
    def coarse(self) -> float:
        """The eps of a dtype of low precision in which x is or f computes, or 0.

        Where f computes in the precision of x, its slopes at two steps below that eps agree.
        """
        if self.eps > SHARP:
            return self.eps
        eps = float(jnp.finfo(self.compiled.shortest).eps)
        if eps < SHARP:
            return 0.0
        large, small = (np.abs(self._sides(self._signs, h)).sum() for h in (eps / 2, eps / 64))
        return 0.0 if abs(large - small) <= SETTLED * large else eps

    @cached_property
    def h(self) -> float:
        """The step of `along`: 2^-20 in float64, 2^-9 in float32, 2^-3 in bfloat16."""
        return 2.0 ** round(np.log2(self.coarse or self.eps) * 0.38)

    @cached_property
    def steps(self) -> list[float]:
        """The steps of `close`, from the largest to the smallest."""
        if self.coarse:
            return [h for k in range(1, 14) if (h := 2.0**-k) > 2 * self.coarse]
        return [h for k in range(14) if (h := RATIO ** -(k + 1.5)) > 8 * self.eps]

    @cached_property
    def rounding(self) -> float:
        """The expected rounding error of <dy, y>; on a staircase, as measured below its stairs."""
        if not self.coarse:
            return ROUNDINGS * self.eps * self.norm
        below = (self.coarse / 2**k for k in (1, 2, 3))
        return STAIRS * max(h * self._bend(self._signs, h) for h in below)

    @cached_property
    def _signs(self):
        """A direction of all leaves by random signs."""
        rng, pairs = np.random.default_rng(0), zip(self.compiled.x, self.sizes, strict=True)
        return [(h * rng.choice([-1.0, 1.0], a.shape)).astype(a.dtype) for a, h in pairs]

    def _bend(self, v, h):
        left, right = self._sides(v, h)
        return float(np.nan_to_num(np.linalg.norm(right - left)))

    def along(self, v: Leaves) -> Slope:
        """The slope along v, from four values of f."""
        coarse, fine = self._central(v, self.h), self._central(v, self.h / 2)
        bar = 3 * abs(fine - coarse) + self.rounding / self.h
        return Slope((4 * fine - coarse) / 3, bar)

    def close(self, v: Leaves) -> Close:
        """The slope along v, or the interval of slopes at a kink, from about 30 values of f."""
        steps = self.steps
        sides = [self._sides(v, h) for h in steps]
        central = np.array([(left + right).sum() / 2 for left, right in sides])
        width = np.array([np.abs(right - left).sum() for left, right in sides])
        size = np.array([np.abs(left).sum() + np.abs(right).sum() for left, right in sides])
        bends = [h * np.linalg.norm(up - down) for h, (down, up) in zip(steps, sides, strict=True)]
        coarse = coarseness(width, size, steps)
        # At the smallest steps, the two sides differ only by rounding.
        last = [] if self.coarse else bends[-2:]
        floor = max(self.rounding, np.nan_to_num(last).max(initial=0), coarse)
        noise = floor / np.array(steps) + 2 * self.eps * np.nan_to_num(size) / np.array(steps)
        best, settled = best_step(central, width, size, noise)
        left, right = sides[best]
        low = float(np.minimum(left, right).sum() - noise[best])
        high = float(np.maximum(left, right).sum() + noise[best])
        ratio = steps[0] / steps[1]
        kinked = is_flat(width, noise, best, ratio)
        error = ROUNDINGS * float(jnp.finfo(self.compiled.shortest).eps) * self.norm
        beyond = beyond_a_kink(width, np.maximum(noise, error / np.array(steps)), ratio)
        usable = np.full(len(steps), True) if kinked else ~beyond
        slope = extrapolated(central, noise, usable, ratio)
        # A slope outside the interval was found at steps that reach beyond a kink.
        if not low - slope.bar <= slope.value <= high + slope.bar:
            slope = Slope((low + high) / 2, (high - low) / 2)
        if not (settled or kinked) and size[best] * steps[best] > UNSETTLED * error:
            # y varies within every step, so no step shows the slope.
            slope = Slope(slope.value, float(np.nan_to_num(size).max()))
        return Close(slope, low, high, kinked)

    def nearby_admits(
        self, value: float, v: Leaves, rng: np.random.Generator, slack: float
    ) -> bool:
        """Whether `value` can be the sum over outputs of slopes along v at points near x.

        An output with n kinks has up to 2ⁿ such slopes. All of them are within √n standard
        deviations of their mean, and nearly all are within 4 standard deviations. So the interval
        of slopes at a few points is widened to this distance from the mean. An output whose slope
        does not vary nearby gets its slope from finite differences.
        """
        if self.eps > SHARP:  # no point is near
            return False
        slopes = np.sort(self.slopes_nearby(v, rng), 0)
        least, most = slopes[0], slopes[-1]
        varies = vary(slopes)
        kinds = 1 + (np.diff(slopes, axis=0) > SETTLED * (most - least)).sum(0)
        wide = np.where(kinds > 2, np.minimum(np.sqrt(kinds), 4), 0) * slopes.std(0)
        sides = np.array(self._sides(v, self.h / 64))
        low, high = sides.min(0), sides.max(0)
        low = np.where(varies, np.minimum(low, np.minimum(least, slopes.mean(0) - wide)), low)
        high = np.where(varies, np.maximum(high, np.maximum(most, slopes.mean(0) + wide)), high)
        slack += 64 * self.rounding / self.h
        return bool(varies.any() and low.sum() - slack <= value <= high.sum() + slack)

    def slopes_nearby(self, v: Leaves, rng: np.random.Generator) -> np.ndarray:
        """The slopes along v of each output at points near x, one row per point."""
        return np.nan_to_num([self.dy * Jv for Jv in self._jvps_nearby(v, rng)])

    def _jvps_nearby(self, v, rng):
        """J v at points near x: by forward autodiff, else by differences at points less near."""
        jvps = [self.compiled.jvp(x, v) for x in self.nearby(rng)]
        known = [Jv for Jv in jvps if Jv is not None]
        if len(known) == len(jvps):
            return list(map(flat, known))
        h, at = LESS_NEAR / 1e3, self.compiled.at
        slope = lambda x: (flat(at(x, v, h)) - flat(at(x, v, -h))) / (2 * h)
        return [slope(x) for x in self.nearby(rng, LESS_NEAR)]

    def nearby(self, rng: np.random.Generator, distance: float | None = None) -> Iterator[Leaves]:
        """Random points x + u and x - u near x, where f is smooth, on both sides of each kink.

        Each leaf has its own distance: where several leaves decide on which piece a point is, this
        reaches more of the pieces.
        """
        for _ in range(NEARBY // 2):
            near = 10.0 ** rng.uniform(-1.5, 0, len(self.sizes))
            far = (distance or self.distance) * near * self.sizes
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


def vary(slopes: np.ndarray) -> np.ndarray:
    """Mask of the columns that vary by more than SETTLED."""
    least, most = slopes.min(0), slopes.max(0)
    return most - least > SETTLED * np.maximum(np.abs(least), np.abs(most))


def size_of(x: np.ndarray) -> float:
    """The root mean square of the finite entries of x, or 1 if a small part of it is denormal."""
    finite = x[np.isfinite(x)].astype(np.float64)
    top = np.abs(finite).max(initial=0)
    if top < DENORMAL:
        return 1.0
    return float(top * np.sqrt(np.square(finite / top).mean()))


def flat(leaves: Leaves) -> np.ndarray:
    """All entries as one vector in float64."""
    return np.concatenate([np.ravel(a).astype(np.float64) for a in leaves] or [np.zeros(0)])
