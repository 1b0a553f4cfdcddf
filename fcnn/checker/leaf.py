"""One leaf of x under judgement: how far G and R may differ, where to look, how to find an entry.

Directions v move this leaf alone, each entry by ± the leaf's root mean square:

    signs    all entries, at random
    one      a single entry
    tied     all entries, those of one value together: what ties goes on to tie
"""

from collections.abc import Callable, Iterator

import numpy as np

from fcnn.checker.evidence import Evidence, forward, largest, rounding, tolerance
from fcnn.checker.finite_differences import Close, Slope

DIFFERENCE = 1e-6  # what differences may be off by, besides their own bars
FEW = 32  # entries of a leaf, each of which then has a direction of its own
EPS = float(np.finfo(np.float64).eps)


class Leaf:
    """Leaf i.

    scale: what errors are relative to: the largest entry, unless that is 0 but for rounding.
    exact: what entries of G and R may differ by.
    loose: what the shortest dtype used inside would account for, which `short` names.
    slack: what a slope may be off by, besides the bar of the differences.
    """

    def __init__(self, e: Evidence, i: int, seed: int):
        self.e, self.i, self.seed, self.x = e, i, seed, e.compiled.x[i]
        self.rng = np.random.default_rng((seed, 2, i))
        self.G = e.claimed[i].astype(np.float64)
        self.R = None if e.right is None else e.right[i].astype(np.float64)
        self.size = e.slopes.sizes[i]
        self.top = largest(self.G, self.G if self.R is None else self.R)
        self.exact = self.top * max(tolerance(a.dtype.name) for a in (self.x, *e.compiled.y))
        of_0 = 1e3 * e.slopes.eps * largest(e.slopes.parts) / self.size  # what rounding makes of 0
        nothing = self.top < 10 * of_0
        self.exact += 4 * np.finfo(np.float64).tiny + (of_0 if nothing else 0.0)
        self.scale = 1e3 * of_0 if nothing else self.top
        share, self.short = e.loose
        self.loose = self.top * share
        self.slack = self.size * max(DIFFERENCE * self.top, self.exact)

    def off(self) -> np.ndarray:
        """By how much each entry of G differs from R; NaN differs from everything."""
        return np.asarray(np.nan_to_num(np.abs(self.G - self.R), nan=np.inf, posinf=np.inf))

    def noise(self) -> float:
        """By how much two right formulas may differ, as x is rounded."""
        return 30 * rounding(self.e, self.i, self.rng)

    def directions(self) -> Iterator[np.ndarray]:
        """Random signs, and each entry alone where there are few."""
        few = len(self.e.compiled.x) <= 8
        yield from (self.signs() for _ in range(3 if few else 1))
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
        """What is not finite stays."""
        return np.where(np.isfinite(self.x), self.size * signs, 0.0)

    def claims(self, v: np.ndarray) -> float:
        """<G, v>"""
        return float(np.vdot(self.G, v))

    def quick(self, v: np.ndarray) -> Slope:
        return self.e.slopes.along(self._of_all(v))

    def look(self, v: np.ndarray) -> Close:
        return self.e.slopes.close(self._of_all(v))

    def allows(self, v: np.ndarray, look: Close, slack: float) -> bool:
        """Whether <G, v> is one of the slopes that outputs may choose along v."""
        claim = self.claims(v)
        return look.admits(claim, slack) or self.e.slopes.nearby_admits(
            claim, self._of_all(v), self.rng, slack
        )

    def gap(self, v: np.ndarray) -> float:
        return self.e.slopes.gap(self._of_all(v))

    def kinked(self) -> np.ndarray:
        """Which outputs, all in one row, have a kink along random directions."""
        return self.e.slopes.kinked([self._of_all(self.signs()) for _ in range(3)])

    def pushed(self, v: np.ndarray) -> float | None:
        """<dy, J v>, or None."""
        return forward(self.e, self._of_all(v))

    def pushed_bar(self, v: np.ndarray, off: float) -> float:
        """What <dy, J v> and <G, v> may differ by; rounding is measured where it would count."""
        norm = float(np.linalg.norm(v))
        bar = 64 * EPS * float(np.linalg.norm(self.G * v)) + self.exact * self.size
        if abs(off) > bar:
            bar += self.noise() * norm + (self.loose * norm if self.loose > self.exact else 0)
        return bar

    def _of_all(self, v):
        """v as a direction of all leaves."""
        still = list(self.e.compiled.still)
        still[self.i] = v.astype(self.x.dtype)
        return still

    def halved(self, v: np.ndarray, score: Callable[[np.ndarray], float]) -> int:
        """Halve the entries that move until one is left; the half with the higher score stays."""
        entries = np.flatnonzero(v)
        while len(entries) > 1:
            halves = np.array_split(entries, 2)
            entries = max(halves, key=lambda half: score(_part(v, half)))
        return int(entries[0])

    def at(self, entry: int) -> tuple[int, ...]:
        return tuple(map(int, np.unravel_index(entry, self.x.shape)))

    def slopes(self, look: Close) -> tuple[float, ...]:
        """Of one entry: its slope, or at a kink the two."""
        both = (look.low, look.high) if look.kinked else (look.slope.value,)
        return tuple(slope / self.size for slope in both)


def _part(v, entries):
    """v on these entries, 0 elsewhere."""
    part = np.zeros(v.shape)
    part.flat[entries] = v.flat[entries]
    return part
