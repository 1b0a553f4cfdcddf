"""One leaf of x: tolerances of its gradient, directions to try, and the search for a wrong entry.

Directions v move only this leaf, each entry by ± the leaf's root mean square:

    signs    all entries, by random signs
    one      a single entry
    tied     all entries, by one random sign for each value, so that equal entries stay equal
"""

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from fcnn.checker.evidence import Evidence, forward, largest, rounding, tolerance
from fcnn.checker.finite_differences import Close
from fcnn.checker.steps import Slope

DIFFERENCE = 1e-6  # relative error of finite differences, in addition to their error bars
SATURATED = 1e-3  # relative change of the outputs
CANCELLED = 1e-5  # largest relative error of a gradient that counts as rounding by cancellation
SPREAD = 1e-3  # an entry below this part of the size of its leaf is small
PRECISE = 1e-2  # relative error bar of a slope that confirms G at a small step
COARSE = 8  # number of random directions if f computes in low precision
FEW = 32  # largest size of a leaf that is also tested along each single entry
MANY = 8  # largest number of leaves that are each tested along more than one direction
RANDOM = 3  # directions by random signs of each leaf, if there are few leaves
EVALUATIONS = 4  # of f for each direction
EPS = float(np.finfo(np.float64).eps)


class Leaf:
    """Leaf i, with the tolerances of its gradient.

    scale: the unit of errors: the largest entry, or more if the gradient is 0 except for rounding.
    exact: tolerance of the entries of G and R.
    loose: tolerance for `short`, the dtype of lowest precision used internally.
    precise: error bar of a slope that measures the error of G.
    slack: tolerance of a slope, in addition to the error bar of finite differences.
    """

    def __init__(self, e: Evidence, i: int, seed: int):
        self.e, self.i, self.seed, self.x = e, i, seed, e.compiled.x[i]
        self.rng = np.random.default_rng((seed, 2, i))
        self.G = e.claimed[i].astype(np.float64)
        self.R = None if e.reference is None else e.reference[i].astype(np.float64)
        self.size = e.slopes.sizes[i]
        self.top = largest(self.G, self.G if self.R is None else self.R)
        self.exact = self.top * max(tolerance(a.dtype.name) for a in (self.x, *e.compiled.y))
        # The size of rounding errors in a gradient of 0.
        zero = min(1e3 * e.slopes.eps, 0.01) * largest(e.slopes.parts) / self.size
        is_zero = self.top < 10 * zero
        self.exact += 4 * np.finfo(np.float64).tiny + (zero if is_zero else 0.0)
        self.scale = 1e3 * zero if is_zero else self.top
        share, self.short = e.loose
        self.loose = self.top * share
        self.precise = 1e-2 * self.size * self.scale
        self.slack = self.size * max(DIFFERENCE * self.top, self.exact)

    def off(self) -> np.ndarray:
        """|G - R| of each entry; inf where G or R is NaN."""
        return np.asarray(np.nan_to_num(np.abs(self.G - self.R), nan=np.inf, posinf=np.inf))

    def noise(self) -> float:
        """The largest difference that rounding can cause between two right formulas."""
        return 30 * rounding(self.e, self.i, self.rng)

    def cancellation(self) -> float:
        """The rounding error of a small gradient in an f that is saturated, as 1 - y for y near 1.

        f is saturated if <dy, y> changes little where x changes by its size. Entries of its
        gradient are differences of terms of the size of y.
        """
        largest_part = largest(self.e.slopes.parts)
        if self.top * self.size >= SATURATED * largest_part:
            return 0.0
        return min(8 * self.e.slopes.eps * largest_part, CANCELLED * self.top)

    def directions(self) -> Iterator[np.ndarray]:
        """Directions by random signs and, if entries are few, along each single entry.

        They are fewer if f is slow, and none if the leaf is confirmed together with others.
        """
        if self.i not in self.e.confirmed:
            most = max(self.e.affordable(EVALUATIONS), 1)
            yield from itertools.islice(self._directions(), most)

    def _directions(self):
        few = len(self.e.compiled.x) <= MANY
        each = COARSE if self.e.slopes.coarse else RANDOM
        yield from (self.signs() for _ in range(each if few else 1))
        if few and self.x.size <= FEW:
            yield from map(self.one, range(self.x.size))

    def signs(self) -> np.ndarray:
        return self._moving(self.rng.choice([-1.0, 1.0], self.x.shape))

    def one(self, entry: int) -> np.ndarray:
        return _part(self._moving(np.ones(self.x.shape)), np.array([entry]))

    def tied(self) -> np.ndarray:
        values, which = np.unique(self.x, return_inverse=True)
        signs = self.rng.choice([-1.0, 1.0], values.shape)
        return self._moving(signs[which.reshape(self.x.shape)])

    def _moving(self, signs):
        """The direction with these signs; entries that are not finite do not move."""
        return np.where(np.isfinite(self.x), self.size * signs, 0.0)

    def claims(self, v: np.ndarray) -> float:
        """<G, v>"""
        return float(np.vdot(self.G, v))

    def quick(self, v: np.ndarray) -> Slope:
        return self.e.slopes.along(self._of_all(v))

    def look(self, v: np.ndarray) -> Close:
        return self.e.slopes.close(self._of_all(v))

    def allows(self, v: np.ndarray, look: Close, slack: float) -> bool:
        """Whether <G, v> is a valid slope along v."""
        claim = self.claims(v)
        return look.admits(claim, slack) or self._admits_nearby(claim, v, slack)

    def both_at_kink(self, v: np.ndarray, *values: float) -> bool:
        """Whether there is a kink along v where all `values` are valid slopes."""
        look = self.look(v)
        each = [look.kinked and look.admits(value, self.slack) for value in values]
        return all(each) or all(self._admits_nearby(value, v, self.slack) for value in values)

    def _admits_nearby(self, value, v, slack):
        return self.e.slopes.nearby_admits(value, self._of_all(v), self.rng, slack)

    def refuted(self, v: np.ndarray, look: Close) -> bool:
        """Whether finite differences along v agree with R, and clearly not with G.

        Then rounding is not the cause, even if R changes much when x is rounded: at a kink or at
        ties, it does.
        """
        if self.R is None or look.kinked:
            return False
        off = abs(look.slope.value - self.claims(v))
        return off > 10 * look.slope.bar and look.admits(float(np.vdot(self.R, v)), off / 10)

    def agrees_at_each_scale(self, v: np.ndarray) -> bool:
        """Whether <G, v> is the slope if small entries of x move by their own magnitude.

        f may vary within a small entry, as log does. A step of the size of the leaf is too large
        then. The slope must be precise, because a small step shows only rounding if f is constant.
        """
        x = np.where(np.isfinite(self.x), np.abs(self.x), 0).astype(np.float64)
        small = (x > 0) & (x < SPREAD * self.size) & (v != 0)
        if not small.any():
            return False
        parts = np.where(small, 0, v), np.where(small, v * (x / self.size), 0)
        return all(self._agrees_along(part) for part in parts if part.any())

    def _agrees_along(self, v):
        look, most = self.look(v), PRECISE * float(np.abs(self.G * v).sum())
        return not look.kinked and look.slope.bar <= most and look.admits(self.claims(v), most / 10)

    def gap(self, v: np.ndarray) -> float:
        return self.e.slopes.gap(self._of_all(v))

    def kinked(self) -> np.ndarray:
        """Mask of the flattened outputs that have a kink along random directions."""
        return self.e.slopes.kinked([self._of_all(self.signs()) for _ in range(3)])

    def jvp(self, v: np.ndarray) -> float | None:
        """<dy, J v> by forward autodiff, or None."""
        return forward(self.e, self._of_all(v))

    def jvp_bar(self, v: np.ndarray, off: float) -> float:
        """Tolerance of `off` = <dy, J v> - <G, v>.

        Rounding is measured only if `off` exceeds the rest of the tolerance.
        """
        norm = float(np.linalg.norm(v))
        bar = 64 * EPS * float(np.linalg.norm(self.G * v)) + self.exact * self.size
        if abs(off) > bar:
            bar += self.noise() * norm + (self.loose * norm if self.loose > self.exact else 0)
        return bar

    def _of_all(self, v):
        """v as a direction of all leaves."""
        still = list(self.e.compiled.zeros)
        still[self.i] = v.astype(self.x.dtype)
        return still

    def bisect(self, v: np.ndarray, score: Callable[[np.ndarray], float]) -> int:
        """The entry that bisection of v finds; each step keeps the half with the higher score."""
        entries = np.flatnonzero(v)
        while len(entries) > 1:
            halves = np.array_split(entries, 2)
            entries = max(halves, key=lambda half: score(_part(v, half)))
        return int(entries[0])

    def at(self, entry: int) -> tuple[int, ...]:
        return tuple(map(int, np.unravel_index(entry, self.x.shape)))

    def slopes(self, look: Close) -> tuple[float, ...]:
        """The slope of one entry, or the lower and the upper slope at a kink."""
        both = (look.low, look.high) if look.kinked else (look.slope.value,)
        return tuple(slope / self.size for slope in both)


def _part(v, entries):
    """v at these entries, 0 elsewhere."""
    part = np.zeros(v.shape)
    part.flat[entries] = v.flat[entries]
    return part
