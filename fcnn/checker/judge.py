"""The verdict on the gradient G of one leaf.

    every entry     |G - R| is at most a tolerance times the largest entry
    forward         <G, v> = <dy, J v>, the adjoint identity
    differences     <G, v> is the slope along v: a quick look, and a close one at any disagreement

Tolerances are relative to the largest entry and never grow with the leaf; NaN equals nothing. Two
right formulas differ by rounding, so G and R may differ by what R changes by when x is rounded.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from fcnn.checker.evidence import TOLERANCE, Evidence, forward, largest, rounding, size_of
from fcnn.checker.slopes import Close

RIGHT, WRONG, KINK, NOISY = "right", "wrong", "kink", "too noisy to tell"
NOT_FINITE, NOT_DETERMINISTIC = "not finite", "not deterministic"

DIFFERENCE = 1e-6  # what differences may be off by, besides their own bars
FEW = 32  # entries of a leaf, each of which then has a direction of its own
CLOSE = 4  # of the worst entries, and as many others, get a close look
EPS = float(np.finfo(np.float64).eps)


class Finding(NamedTuple):
    """The verdict on a leaf, and its worst entry: where, what was claimed, and what is right."""

    verdict: str
    error: float = 0.0  # relative to the largest entry
    at: tuple[int, ...] | None = None
    claimed: float | None = None
    autodiff: float | None = None
    slopes: tuple[float, ...] = ()  # by differences: one, or left and right at a kink
    says: str = ""


def judge(e: Evidence, i: int, seed: int = 0) -> Finding:
    """The verdict on leaf i."""
    x, G, again = e.machine.x[i], e.claimed[i], e.again[i]
    if any(np.isnan(y).any() for y in e.machine.y):
        return Finding(NOT_FINITE, np.inf, says="the function itself gives NaN")
    if not e.machine.steady:
        return Finding(NOT_DETERMINISTIC, np.inf, says="the function itself gives two values")
    if G.shape != x.shape or not jnp.issubdtype(G.dtype, jnp.floating):
        return Finding(WRONG, np.inf, says=f"has shape {G.shape}, dtype {G.dtype}")
    if not _same(e.y, e.machine.y, max(TOLERANCE[e.machine.shortest], 1e-10)):
        return Finding(WRONG, np.inf, says="comes with another y than the function's own")
    leaf = _Leaf(e, i, seed)
    if not np.array_equal(G, again, equal_nan=True):
        off = np.abs(again - G).astype(np.float64)
        other = again.flat[int(np.nan_to_num(off, nan=np.inf).argmax())]
        return leaf.found(NOT_DETERMINISTIC, off, says=f"a second run gives {other:.6g} there")
    if not np.isfinite(G).all():
        return leaf.found(NOT_FINITE, np.where(np.isfinite(G), 0, np.inf))
    if not x.size:
        return Finding(RIGHT)
    return leaf.verdict()


def _same(a, b, tolerance):
    """Whether these are the same numbers, for the largest of them."""
    most = tolerance * largest(*b)
    return all(
        p.shape == q.shape
        and np.array_equal(np.isfinite(p), np.isfinite(q))
        and largest(np.where(np.isfinite(q), p, 0) - np.where(np.isfinite(q), q, 0)) <= most
        for p, q in zip(a, b, strict=True)
    )


class _Leaf:
    """One leaf under judgement."""

    def __init__(self, e: Evidence, i: int, seed: int):
        self.e, self.i, self.x = e, i, e.machine.x[i]
        self.G = e.claimed[i].astype(np.float64)
        self.R = None if e.right is None else e.right[i].astype(np.float64)
        self.rng = np.random.default_rng((seed, 2, i))
        self.size = size_of(self.x)
        self.top = largest(self.G, self.G if self.R is None else self.R)
        floor = 1e3 * e.slopes.eps * largest(e.slopes.parts) / self.size  # what rounding makes of 0
        names = [a.dtype.name for a in (self.x, e.claimed[i], *e.machine.y)]
        self.exact = self.top * max(TOLERANCE.get(name, 1e-10) for name in names)
        self.exact += floor if self.top < 10 * floor else 4 * np.finfo(np.float64).tiny
        self.loose = self.top * TOLERANCE.get(e.machine.shortest, 1e-10)
        self.slack = self.size * max(DIFFERENCE * self.top, self.exact)

    def verdict(self) -> Finding:
        if self.R is None:
            return self._asked()
        with np.errstate(invalid="ignore"):
            off = np.nan_to_num(np.asarray(np.abs(self.G - self.R)), nan=np.inf, posinf=np.inf)
        return self._suspected(off) if (off > self.exact).any() else self._asked()

    def found(self, verdict: str, off, look: Close | None = None, says: str = "") -> Finding:
        """The finding, at the entry that is off most."""
        at = np.unravel_index(int(np.nan_to_num(off, nan=np.inf).argmax()), off.shape)
        return Finding(
            verdict,
            float(off[at]) / (self.top or 1.0),
            tuple(map(int, at)),
            float(self.G[at]),
            None if self.R is None else float(self.R[at]),
            self._slopes(look),
            says,
        )

    def _suspected(self, off) -> Finding:
        """G and R differ in some entries: a mistake, a kink, or rounding."""
        suspects = np.asarray(off > self.exact)
        worst = np.argsort(-off, axis=None)[:CLOSE].tolist()
        others = self.rng.permutation(np.flatnonzero(suspects))[:CLOSE].tolist()
        entries = [j for j in dict.fromkeys(worst + others) if suspects.flat[j]]
        together = [suspects * self.size, suspects * self._signs(), self._tied(), self._tied()]
        directions = [*map(self._one, entries), *together]
        first = self._look(directions[0])
        if np.isfinite(off).all() and not first.kinked:
            noise = 30 * rounding(self.e, self.i, self.rng)
            if off.max() <= noise:
                told = noise <= 1e-3 * self.top or self.top <= noise  # or both are 0, but for that
                return self.found(RIGHT if told else NOISY, off, first)
            if off.max() <= self.loose:
                says = f"told to {self.loose / self.top:.0e} only: {self.e.machine.shortest} inside"
                return self.found(RIGHT, off, first, says)
        slack, kinked, right = self.size * self.exact, False, True
        R = np.where(np.isfinite(self.R), self.R, np.inf)
        for v in directions:
            look = first if v is directions[0] else self._look(v)
            if not look.admits(np.vdot(self.G, v), slack):
                return self.found(WRONG, off, first)
            kinked |= look.kinked
            right &= not look.admits((R[v != 0] * v[v != 0]).sum(), slack)
        if kinked:
            return self.found(KINK, off, first)
        if right:
            return self.found(RIGHT, off, first, "differences agree, autodiff does not")
        return self.found(WRONG, off, first)

    def _asked(self) -> Finding:
        """G is R, or there is none: forward mode and differences are asked along directions."""
        off = 0.0 if self.R is None else float(np.abs(self.G - self.R).max())
        finding = Finding(RIGHT, off / (self.top or 1.0))
        for v in self._directions():
            along = float(np.vdot(self.G, v))
            pushed = forward(self.e, self._all(v))
            if pushed is not None and not abs(pushed - along) <= self._forward_bar(v, pushed - along):
                says = f"forward autodiff gives {pushed:.6g} along a direction, this {along:.6g}"
                return finding._replace(verdict=WRONG, says=says)
            slope = self.e.slopes.along(self._all(v))
            if not abs(slope.value - along) <= slope.bar + self.slack:
                finding = self._disputed(v, finding)
                if finding.verdict not in (RIGHT, KINK):
                    return finding
        return finding

    def _forward_bar(self, v, off) -> float:
        """By how much <dy, J v> and <G, v> may differ; what costs more is looked at if need be."""
        norm = float(np.linalg.norm(v))
        bar = 64 * EPS * float(np.linalg.norm(self.G * v)) + self.exact * self.size
        if abs(off) > bar:
            bar += 30 * rounding(self.e, self.i, self.rng) * norm
            bar += self.loose * norm if self.loose > self.exact else 0
        return bar

    def _disputed(self, v, finding: Finding) -> Finding:
        """Differences disagree along v: a kink, rounding, or a mistake."""
        along, look = float(np.vdot(self.G, v)), self._look(v)
        if look.kinked and (look.admits(along, self.slack) or self.R is not None):
            if finding.verdict == KINK:
                return finding
            gap = lambda part: self.e.slopes.gap(self._all(part))
            entry = self._halved(v, gap)
            at = np.unravel_index(entry, v.shape)
            return finding._replace(
                verdict=KINK,
                at=tuple(map(int, at)),
                claimed=float(self.G[at]),
                autodiff=None if self.R is None else float(self.R[at]),
                slopes=self._slopes(self._look(self._one(entry))),
            )
        if look.admits(along, self.slack):
            return finding
        if self._tells(look, along):
            return self._located(v, finding)
        return finding if self.R is not None else finding._replace(verdict=NOISY)

    def _tells(self, look: Close, along: float) -> bool:
        """Whether differences are sure enough to say that a gradient is wrong, which R says is not."""
        off, most = abs(look.slope.value - along), max(abs(along), abs(look.slope.value))
        if self.R is not None and off <= 10 * look.slope.bar + 1e-5 * most:
            return False
        return look.kinked or look.slope.bar <= 0.05 * most

    def _located(self, v, finding: Finding) -> Finding:
        """The entry that differences say is wrong."""
        off = lambda part: abs(self.e.slopes.along(self._all(part)).value - np.vdot(self.G, part))
        entry = self._halved(v, off)
        look = self._look(self._one(entry))
        at = np.unravel_index(entry, v.shape)
        along = float(self.G[at]) * self.size
        if look.admits(along, self.slack) or not self._tells(look, along):
            return finding if self.R is not None else finding._replace(verdict=NOISY)
        right = look.slope.value / self.size
        return Finding(
            WRONG,
            float(abs(self.G[at] - right)) / (max(self.top, abs(right)) or 1.0),
            tuple(map(int, at)),
            float(self.G[at]),
            None if self.R is None else float(self.R[at]),
            self._slopes(look),
            "" if self.R is None else "autodiff agrees with it, differences do not",
        )

    def _halved(self, v, score) -> int:
        """Halve the entries that move, until one is left: the half with the higher score stays."""
        entries = np.flatnonzero(v)
        while len(entries) > 1:
            halves = np.array_split(entries, 2)
            entries = max(halves, key=lambda half: score(self._part(v, half)))
        return int(entries[0])

    def _part(self, v, entries):
        part = np.zeros(v.shape)
        part.flat[entries] = v.flat[entries]
        return part

    def _directions(self):
        """Random signs, and each entry alone where they are few."""
        few = len(self.e.machine.x) <= 8
        yield from (self._signs() for _ in range(3 if few else 1))
        if few and self.x.size <= FEW:
            yield from map(self._one, range(self.x.size))

    def _signs(self):
        signs = self.rng.choice([-1.0, 1.0], self.x.shape)
        return np.where(np.isfinite(self.x), self.size * signs, 0)

    def _tied(self):
        """Random signs, one for all entries of the same value: what ties goes on to tie."""
        values, which = np.unique(self.x, return_inverse=True)
        signs = self.size * self.rng.choice([-1.0, 1.0], values.shape)
        return np.where(np.isfinite(self.x), signs[which.reshape(self.x.shape)], 0)

    def _one(self, entry):
        return self._part(np.where(np.isfinite(self.x), self.size, 0), [entry])

    def _all(self, v):
        """v as a direction of all leaves."""
        still = list(self.e.machine.still)
        still[self.i] = v.astype(self.x.dtype)
        return still

    def _look(self, v) -> Close:
        return self.e.slopes.close(self._all(v))

    def _slopes(self, look):
        if look is None:
            return ()
        both = (look.low, look.high) if look.kinked else (look.slope.value,)
        return tuple(slope / self.size for slope in both)
