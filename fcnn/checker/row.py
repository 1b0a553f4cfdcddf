"""One row of a report, and its cells as text."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fcnn.bench import Cost
from fcnn.checker.verdict import KINK, RIGHT

HEAD = ("gradient", "shape", "verdict", "error", "in its dtype", "worst at", "claimed")
HEAD += ("autodiff", "differences")
COSTS = ("cost", "time", "FLOP", "saved", "temporary")


@dataclass(frozen=True)
class Row:
    """The verdict on the gradient of one leaf.

    problem:   the name of the function or case.
    error:     error of the formula in float64: largest difference divided by largest entry.
    impl:      the implementation, if the operator has several.
    own_error: error of the same formula computed in the caller's `dtype`; None if `dtype` is
               float64 or complex128, or if the formula is not right in float64.
    at:        the index of the worst entry. `claimed`, `autodiff` and `slopes` are values there,
               complex for a complex leaf.
    slopes:    by finite differences: one slope, or the lower and the upper slope at a kink.
    mistake:   kind of the mistake in two or three words, if it is a known one; `says` explains it.
    exact:     whether `says` gives the value of every wrong entry, not only its place.
    map:       the error of every entry, where the verdict is "wrong".
    """

    problem: str
    leaf: str
    shape: tuple[int, ...]
    dtype: str
    verdict: str
    error: float
    impl: str = ""
    own_error: float | None = None
    at: tuple[int, ...] | None = None
    claimed: complex | None = None
    autodiff: complex | None = None
    slopes: tuple[complex, ...] = ()
    mistake: str = ""
    says: str = ""
    exact: bool = False
    map: np.ndarray | None = field(default=None, repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """Whether the gradient is right, or a valid choice at a kink."""
        return self.verdict in (RIGHT, KINK)

    @property
    def where(self) -> str:
        """The leaf and the index of its worst entry: params/w[2,0,1]"""
        return self.leaf + (f"[{','.join(map(str, self.at))}]" if self.at else "")


def name(row: Row) -> str:
    """The name of the gradient: dw, or the path of a leaf."""
    return f"d{row.leaf}" if row.leaf.isidentifier() else row.leaf


def cells_of(row: Row) -> tuple[str, ...]:
    """The cells below HEAD."""
    own = "" if row.own_error is None else f"{row.own_error:.0e} {row.dtype}"
    slopes = " .. ".join(map(_number, row.slopes))
    at = f"[{','.join(map(str, row.at))}]" if row.at else ""
    worst = (at, _number(row.claimed), _number(row.autodiff), slopes)
    return name(row), str(row.shape), row.verdict, f"{row.error:.0e}", own, *worst


def cells_of_cost(cost: Cost) -> tuple[str, ...]:
    """The cells below COSTS."""
    return (
        cost.what,
        f"{1e6 * cost.seconds:,.0f} µs",
        f"{cost.flop:,.0f}",
        f"{cost.saved_bytes:,} B" if cost.saved_bytes else "",
        f"{cost.temporary_bytes:,} B",
    )


def columns(*lines: Sequence[str]) -> list[str]:
    """Lines of aligned cells, without empty columns; no lines if there is only the heading."""
    if len(lines) < 2:
        return []
    width = [max(map(len, column)) for column in zip(*lines, strict=True)]
    used = [i for i, column in enumerate(zip(*lines[1:], strict=True)) if any(column)]
    return ["  ".join(line[i].ljust(width[i]) for i in used).rstrip() for line in lines]


def _number(value):
    return "" if value is None else f"{value + 0.0:.6g}"  # a complex number as 1.5-2j
