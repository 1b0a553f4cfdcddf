"""What a diagnosis looks at: a wrong gradient G, the right one R, and the problem that they are of.

A guess is what G would be, had one mistake been made. It is tried on R, on arguments, and on R of a
changed problem (w flipped, dy shifted): a backward pass that forgets to flip the kernel gives the
right gradient for a flipped one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

Arrays = list[np.ndarray]


class Mistake(NamedTuple):
    """What is wrong, in two or three words, and as a sentence with the formula to compare."""

    kind: str
    says: str


class Hypothesis(NamedTuple):
    """What the gradient would be by a mistake. Where `counts` is False, nothing is known of it."""

    kind: str
    says: str
    gradient: np.ndarray
    counts: np.ndarray | None = None


@dataclass(frozen=True)
class Context:
    """Of leaf i; lists have an entry per leaf.

    `right` gives R of all leaves for another x and dy, `push` gives J v.
    """

    i: int
    names: tuple[str, ...]
    x: Arrays
    y: Arrays
    dy: Arrays
    G: np.ndarray
    rights: Arrays
    right: Callable[[Arrays, Arrays], Arrays | None]
    push: Callable[[Arrays], Arrays | None]
    tolerance: float
    top: float = field(default=0.0)

    @property
    def R(self) -> np.ndarray:
        return self.rights[self.i]

    @property
    def own(self) -> np.ndarray:
        """The argument whose gradient this is."""
        return self.x[self.i]

    @property
    def alone(self) -> bool:
        """Whether y is one array of the shape of this argument, as of an activation."""
        return len(self.y) == 1 and self.y[0].shape == self.R.shape

    def of_channels(self, a: np.ndarray, *axes: int) -> bool:
        """Whether these are a kernel's channels, in and out: its last axes, after no batch."""
        batch = a.ndim == 3 and {b.shape[:1] for b in (*self.y, self.own)} == {a.shape[:1]}
        return a.ndim > 2 and axes == (a.ndim - 2, a.ndim - 1) and not batch

    def wrong(self) -> np.ndarray:
        """Which entries are."""
        return np.asarray(~(np.abs(self.G - self.R) <= self.tolerance * self.top))

    def nothing(self) -> np.ndarray:
        """Which entries are 0 in both, so that most mistakes do not show there."""
        most = self.tolerance * self.top
        return np.asarray((np.abs(self.G) <= most) & (np.abs(self.R) <= most))

    def others(self) -> Iterator[tuple[int, str, np.ndarray]]:
        """The other leaves."""
        yield from ((j, self.names[j], a) for j, a in enumerate(self.x) if j != self.i)

    def for_other(self, x: dict[int, np.ndarray] | None = None, dy: Arrays | None = None):
        """R of this leaf, had some leaves of x, or dy, been others."""
        changed = [(x or {}).get(j, a) for j, a in enumerate(self.x)]
        found = self.right(changed, self.dy if dy is None else dy)
        return None if found is None else found[self.i].astype(np.float64)

    def pushed(self, v: np.ndarray) -> np.ndarray | None:
        """J v, with this leaf moving along v."""
        found = self.push([v if j == self.i else np.zeros_like(a) for j, a in enumerate(self.x)])
        return None if found is None else found[0].astype(np.float64)

    def off(self, gradient: Any, counts: Any = None) -> float:
        """How far G is from `gradient`, for the largest entry."""
        with np.errstate(invalid="ignore", over="ignore"):
            off = np.abs(self.G - gradient)
        off = off if counts is None else off[counts]
        worst = float(np.nan_to_num(off, nan=np.inf).max(initial=0))
        return worst / (self.top or 1.0)


def counted(n: int, one: str, many: str) -> str:
    """1 entry, 2 entries"""
    return f"{n} {one if n == 1 else many}"


def times(factor: float) -> str:
    """A factor as people write it."""
    for value, name in NAMED.items():
        for sign, minus in ((1, ""), (-1, "−")):
            if abs(factor - sign * value) <= 1e-7 * abs(value):
                return minus + name
    return f"{factor:.6g}".replace("-", "−")


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
