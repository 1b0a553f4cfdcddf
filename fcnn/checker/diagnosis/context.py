"""The context of a diagnosis: a wrong gradient G, the right gradient R, and the function.

A hypothesis is the gradient that one mistake gives. It is computed from R, from the arguments, or
as R for a changed input (w flipped, dy shifted): for example, a backward pass that does not flip
the kernel gives the right gradient for a flipped kernel.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

Arrays = list[np.ndarray]
LONG = 256  # an axis with more entries is not tested for being time


WHERE = ("", "some slices", "single entry")  # kinds that tell where a gradient is wrong, not what


class Mistake(NamedTuple):
    """A mistake: its kind in two or three words, and a sentence that explains it.

    exact:  whether the sentence gives the value of every wrong entry, not only its place.
    fitted: whether numbers in it are fitted to G.
    """

    kind: str
    says: str
    exact: bool = True
    fitted: bool = False


class Hypothesis(NamedTuple):
    """The gradient that a mistake gives. Its entries are undetermined where `known` is False.

    exact: whether all values are computed. Else the hypothesis is about the places of wrong
           entries, and its values there are those of G.
    """

    kind: str
    says: str
    gradient: np.ndarray
    known: np.ndarray | None = None
    exact: bool = True


@dataclass(frozen=True)
class Context:
    """The context of leaf i; lists have an entry per leaf.

    reference: R of all leaves for another x and dy.
    jvp:       J v for a direction v of all leaves.
    claimed:   G of all leaves for another x.
    tolerance: of an entry, relative to `top`, the largest entry of G and R.
    may_not_end: whether f has a while loop, which may run forever for another x.
    """

    i: int
    names: tuple[str, ...]
    x: Arrays
    y: Arrays
    dy: Arrays
    G: np.ndarray
    references: Arrays
    reference: Callable[[Arrays, Arrays], Arrays | None]
    jvp: Callable[[Arrays], Arrays | None]
    claimed: Callable[[Arrays], Arrays]
    tolerance: float
    top: float
    may_not_end: bool = False

    @property
    def R(self) -> np.ndarray:
        return self.references[self.i]

    @property
    def argument(self) -> np.ndarray:
        """The argument whose gradient is G."""
        return self.x[self.i]

    @property
    def same_shape(self) -> bool:
        """Whether y is one array of the shape of this argument, as for an activation."""
        return len(self.y) == 1 and self.y[0].shape == self.R.shape

    def of_channels(self, a: np.ndarray, *axes: int) -> bool:
        """Whether `axes` are the input and output channels of a kernel `a`: its last two axes."""
        batch = a.ndim == 3 and {b.shape[:1] for b in (*self.y, self.argument)} == {a.shape[:1]}
        return a.ndim > 2 and axes == (a.ndim - 2, a.ndim - 1) and not batch

    def wrong(self) -> np.ndarray:
        """Mask of the wrong entries."""
        return np.asarray(~(np.abs(self.G - self.R) <= self.tolerance * self.top))

    def both_zero(self) -> np.ndarray:
        """Mask of the entries that are 0 in both G and R. Most mistakes keep the zeros of R."""
        most = self.tolerance * self.top
        return np.asarray((np.abs(self.G) <= most) & (np.abs(self.R) <= most))

    def other_leaves(self) -> Iterator[tuple[int, str, np.ndarray]]:
        """Index, name and value of each other leaf."""
        yield from ((j, self.names[j], a) for j, a in enumerate(self.x) if j != self.i)

    def for_other(self, x: dict[int, np.ndarray] | None = None, dy: Arrays | None = None):
        """R of this leaf for changed leaves of x, or for another dy; None if it is unknown."""
        if x and self.may_not_end:
            return None
        changed = [(x or {}).get(j, a) for j, a in enumerate(self.x)]
        found = self.reference(changed, self.dy if dy is None else dy)
        return None if found is None else found[self.i].astype(self.R.dtype)

    def jvp_along(self, v: np.ndarray) -> np.ndarray | None:
        """J v, where v moves only this leaf."""
        found = self.jvp([v if j == self.i else np.zeros_like(a) for j, a in enumerate(self.x)])
        return None if found is None else found[0].astype(np.float64)

    def at(self, x: np.ndarray) -> "Context | None":
        """The context for another value of this leaf; None if R is unknown there."""
        if (R := self.for_other({self.i: x})) is None:
            return None
        changed = [x if j == self.i else a for j, a in enumerate(self.x)]
        references = [R if j == self.i else a for j, a in enumerate(self.references)]
        G = np.asarray(self.claimed(changed)[self.i], np.float64)
        return replace(self, x=changed, G=G, references=references)

    def is_time(self, leaf: int, axis: int) -> bool:
        """Whether y has an axis of the same length, and each output depends on the steps of the
        leaf up to its own step, or from its own step on."""
        n = self.x[leaf].shape[axis]
        return any(n == m and self.is_causal(leaf, axis, k) for k, m in enumerate(self.dy[0].shape))

    def is_spatial(self, axis: int) -> bool:
        """Whether one output position depends on a window of several positions of this leaf."""
        dy, n = self.dy[0], self.R.shape[axis]
        if dy.ndim != self.R.ndim or dy.shape[axis] < 2:
            return False
        mask = np.arange(dy.shape[axis]) == dy.shape[axis] // 2
        mask = mask.reshape([-1 if j == axis else 1 for j in range(dy.ndim)])
        found = self.for_other(dy=[dy * mask, *[np.zeros_like(d) for d in self.dy[1:]]])
        if found is None:
            return False
        reached = int((found != 0).any(tuple(j for j in range(dy.ndim) if j != axis)).sum())
        return 0 < reached < n and (reached > 1 or dy.shape[axis] != n)

    def is_causal(self, leaf: int, axis: int, k: int) -> bool:
        """The same for axis k of y."""
        n = self.dy[0].shape[k]
        if not 1 < n <= LONG:
            return False
        rest = [np.zeros_like(d) for d in self.dy[1:]]
        reach = []  # the steps of the leaf on which the first and the last output depend
        for at in (0, n - 1):
            mask = (np.arange(n) == at).reshape(
                [-1 if j == k else 1 for j in range(self.dy[0].ndim)]
            )
            found = self.reference(self.x, [self.dy[0] * mask, *rest])
            if found is None:
                return False
            others = tuple(j for j in range(found[leaf].ndim) if j != axis)
            reach.append(np.abs(found[leaf]).max(others))
        first, last = reach
        forward = not first[1:].any() and last[:-1].any()
        return bool(forward or (not last[:-1].any() and first[1:].any()))

    def distance(self, gradient: Any, known: Any = None) -> float:
        """The largest difference of G and `gradient`, relative to the largest entry."""
        with np.errstate(invalid="ignore", over="ignore"):
            off = np.abs(self.G - gradient)
        off = off if known is None else off[known]
        worst = float(np.nan_to_num(off, nan=np.inf).max(initial=0))
        return worst / (self.top or 1.0)


def counted(n: int, one: str, many: str) -> str:
    """1 entry, 2 entries"""
    return f"{n} {one if n == 1 else many}"


def ordinal(n: int) -> str:
    """2nd, 3rd, 4th"""
    return f"{n}{'th' if n % 100 in (11, 12, 13) else SUFFIX.get(n % 10, 'th')}"


def times(factor: float) -> str:
    """A factor by its name, as −½, or with six digits."""
    for value, name in NAMED.items():
        for sign, minus in ((1, ""), (-1, "−")):
            if abs(factor - sign * value) <= 1e-7 * abs(value):
                return minus + name
    return f"{factor:.6g}".replace("-", "−")


SUFFIX = {1: "st", 2: "nd", 3: "rd"}
NAMED = {
    1.0: "1",
    2.0: "2",
    0.5: "½",
    3.0: "3",
    4.0: "4",
    0.25: "¼",
    1 / 3: "1/3",
    np.pi: "π",
    1 / np.pi: "1/π",
    2 * np.pi: "2π",
    np.sqrt(2): "√2",
    1 / np.sqrt(2): "1/√2",
    np.log(2): "ln 2",
    1 / np.log(2): "1/ln 2",
    np.log(10): "ln 10",
    1 / np.log(10): "1/ln 10",
    np.e: "e",
}
