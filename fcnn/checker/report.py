"""What a check came to: a row for every leaf, as a table that a person reads, or as JSON."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fcnn.bench import Cost
from fcnn.checker.verdict import KINK, RIGHT


@dataclass(frozen=True)
class Row:
    """The verdict on the gradient of one leaf.

    problem:   what was differentiated, and `impl` by which implementation, if there are several.
    error:     of the formula, in float64: largest difference over largest entry.
    own_error: of the same gradient computed in `dtype`, the caller's; None where that is float64.
    at:        the worst entry, with its values as claimed, by autodiff and by differences: one
               slope, or at a kink two, left and right.
    mistake:   in two or three words, where one was recognized; `says` is the sentence.
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
    claimed: float | None = None
    autodiff: float | None = None
    slopes: tuple[float, ...] = ()
    mistake: str = ""
    says: str = ""
    map: np.ndarray | None = field(default=None, repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """Right, or a valid choice at a kink."""
        return self.verdict in (RIGHT, KINK)

    @property
    def where(self) -> str:
        """params/w[2,0,1]"""
        return self.leaf + (f"[{','.join(map(str, self.at))}]" if self.at else "")


@dataclass(frozen=True)
class Report:
    """Print it; `ok` and `rows` are for programs, and so is `to_json`.

    `costs` and `notes` are by problem; a note has one or more lines.
    """

    rows: tuple[Row, ...]
    costs: dict[str, list[Cost]]
    notes: dict[str, str]
    environment: dict[str, Any]

    @property
    def ok(self) -> bool:
        return all(row.ok for row in self.rows)

    def to_json(self) -> str:
        """Rows, costs and environment. What is not finite is a string: "inf", "nan"."""
        kept = ({k: v for k, v in vars(row).items() if k != "map"} for row in self.rows)
        costs = {name: [c._asdict() for c in each] for name, each in self.costs.items()}
        whole = {"ok": self.ok, "rows": list(kept), "costs": costs, "notes": self.notes}
        whole["environment"] = self.environment
        return json.dumps(_finite(whole), indent=2, allow_nan=False)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for i, problem in enumerate(dict.fromkeys(row.problem for row in self.rows)):
            rows = [row for row in self.rows if row.problem == problem]
            yield from [""] * bool(i) + [problem]
            yield from _indented(columns(HEAD, *map(cells_of, rows)))
            yield from (f"  {name(row)}: {row.says}" for row in rows if row.says)
            yield from _indented(self.notes.get(problem, "").splitlines())
            yield from _indented(columns(COSTS, *map(cells_of_cost, self.costs.get(problem, []))))


HEAD = ("gradient", "shape", "verdict", "error", "in its dtype", "worst at", "claimed")
HEAD += ("autodiff", "differences")
COSTS = ("cost", "time", "FLOP", "kept", "temporary")


def name(row: Row) -> str:
    """What the gradient is called: dw, or the path of a leaf."""
    return f"d{row.leaf}" if row.leaf.isidentifier() else row.leaf


def columns(*lines: Sequence[str]) -> list[str]:
    """Cells one below the other; a heading alone is nothing."""
    if len(lines) < 2:
        return []
    width = [max(map(len, column)) for column in zip(*lines, strict=True)]
    used = [i for i, column in enumerate(zip(*lines[1:], strict=True)) if any(column)]
    return ["  ".join(line[i].ljust(width[i]) for i in used).rstrip() for line in lines]


def number(value: float | None) -> str:
    return "" if value is None else f"{value + 0.0:.6g}"


def cells_of(row: Row) -> tuple[str, ...]:
    """A row, below HEAD."""
    own = "" if row.own_error is None else f"{row.own_error:.0e} {row.dtype}"
    slopes = " .. ".join(map(number, row.slopes))
    at = f"[{','.join(map(str, row.at))}]" if row.at else ""
    worst = (at, number(row.claimed), number(row.autodiff), slopes)
    return name(row), str(row.shape), row.verdict, f"{row.error:.0e}", own, *worst


def cells_of_cost(cost: Cost) -> tuple[str, ...]:
    """A cost, below COSTS."""
    return (
        cost.what,
        f"{1e6 * cost.seconds:,.0f} µs",
        f"{cost.flop:,.0f}",
        f"{cost.saved_bytes:,} B" if cost.saved_bytes else "",
        f"{cost.temporary_bytes:,} B",
    )


def _indented(lines):
    return [f"  {line}" for line in lines]


def _finite(value):
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return list(map(_finite, value))
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
