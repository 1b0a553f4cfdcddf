"""The context of a diagnosis: a wrong gradient G, the right gradient R, and the function.

A hypothesis is the gradient that one mistake gives. It is computed from R, from the arguments, or
as R for a changed input (w flipped, dy shifted): for example, a backward pass that does not flip
the kernel gives the right gradient for a flipped kernel.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

Arrays = list[np.ndarray]


class Mistake(NamedTuple):
    """A mistake: its kind in two or three words, and a sentence that explains it."""

    kind: str
    says: str


class Hypothesis(NamedTuple):
    """The gradient that a mistake gives. Its entries are undetermined where `known` is False."""

    kind: str
    says: str
    gradient: np.ndarray
    known: np.ndarray | None = None


@dataclass(frozen=True)
class Context:
    """The context of leaf i; lists have an entry per leaf.

    reference: R of all leaves for another x and dy.
    jvp:       J v for a direction v of all leaves.
    tolerance: of an entry, relative to `top`, the largest entry of G and R.
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
    tolerance: float
    top: float = field(default=0.0)

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
        """R of this leaf for changed leaves of x, or for another dy."""
        changed = [(x or {}).get(j, a) for j, a in enumerate(self.x)]
        found = self.reference(changed, self.dy if dy is None else dy)
        return None if found is None else found[self.i].astype(self.R.dtype)

    def jvp_along(self, v: np.ndarray) -> np.ndarray | None:
        """J v, where v moves only this leaf."""
        found = self.jvp([v if j == self.i else np.zeros_like(a) for j, a in enumerate(self.x)])
        return None if found is None else found[0].astype(np.float64)

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
