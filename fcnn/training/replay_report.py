"""A replayed step: rows of statistics, as a table and as JSON."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from fcnn.training.observer import Statistics

WIDTH = 100  # columns of the table
MAY_BE_INFINITE = {"attention_mask", "optimizer state"}  # hidden positions, a best value so far


class ReplayRow(NamedTuple):
    """Statistics of one array of a step."""

    kind: str
    path: str
    shape: tuple[int, ...]
    dtype: str
    least: float | None  # finite entry
    greatest: float | None  # finite entry
    nan: int  # number of entries
    infinite: int  # number of entries
    examples: tuple[int, ...] = ()  # the first batch indices with entries that are not finite

    @property
    def finite(self) -> bool:
        """Whether no entry is NaN, or infinite where this is a fault."""
        return not self.nan and not (self.infinite and not {self.kind, self.path} & MAY_BE_INFINITE)

    @property
    def magnitude(self) -> float:
        """The greatest absolute value of the finite entries; 0 if there are none."""
        return max(abs(self.least or 0.0), abs(self.greatest or 0.0))


class Replay(NamedTuple):
    """A replayed step: statistics of its arrays in order of computation."""

    step: int  # counted from 1
    rows: tuple[ReplayRow, ...]
    message: str  # where the step went wrong first, in one sentence

    @property
    def first(self) -> ReplayRow | None:
        """The first row that is not finite."""
        return next((row for row in self.rows if not row.finite), None)

    def __str__(self) -> str:
        """The rows as a table of at most 100 columns, and the message."""
        return "\n".join([*_table(self.rows), self.message])

    def __repr__(self) -> str:
        return f"<replay of {self.message}>"

    def to_json(self) -> dict[str, Any]:
        """The replay as a dict of numbers, strings, lists and None."""
        plain = lambda row: {k: [*a] if type(a) is tuple else a for k, a in row._asdict().items()}
        first = None if self.first is None else plain(self.first)
        rows = [plain(row) for row in self.rows]
        return {"step": self.step, "message": self.message, "first": first, "rows": rows}


def as_row(kind: str, path: str, spec: Any, found: Statistics, *, batch: bool = False) -> ReplayRow:
    """The row of an array with these statistics; `batch` if its first axis is that of examples."""
    finite = lambda a: float(a) + 0.0 if math.isfinite(a) else None  # without -0.0
    examples = tuple(int(i) for i in found.examples if i < spec.shape[0]) if batch else ()
    counts = int(found.nan), int(found.infinite)
    ends = finite(found.least), finite(found.greatest)
    return ReplayRow(kind, path, tuple(spec.shape), str(spec.dtype), *ends, *counts, examples)


def _table(rows: Sequence[ReplayRow]) -> Iterator[str]:
    """The lines of a table. Zeros among the counts are blank, and long paths are cut."""
    number = lambda a: "" if a is None else f"{a:.3g}"
    cells = [("kind", "path", "shape", "dtype", "least", "greatest", "NaN", "inf")]
    for row in rows:
        counts = (f"{n}" if n else "" for n in (row.nan, row.infinite))
        shape = "×".join(map(str, row.shape))
        ends = number(row.least), number(row.greatest)
        cells += [(row.kind, row.path, shape, row.dtype, *ends, *counts)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    widths[1] = min(widths[1], WIDTH - sum(widths) + widths[1] - 2 * (len(widths) - 1))
    rule = tuple("-" * width for width in widths)
    for kind, path, shape, dtype, *numbers in (cells[0], rule, *cells[1:]):
        left = (kind, _cut(path, widths[1]), shape, dtype)
        texts = [*map(str.ljust, left, widths), *map(str.rjust, numbers, widths[4:])]
        yield "  ".join(texts).rstrip()


def _cut(path: str, width: int) -> str:
    """A path without names in its middle, or without its beginning, if it is too long."""
    first, *names = path.split("/")
    cuts = ["/".join([first, "…", *names[k:]]) for k in range(1, len(names))]
    cuts = [path, *cuts, f"…{path[1 - width :]}"]
    return next(cut for cut in cuts if len(cut) <= width)
