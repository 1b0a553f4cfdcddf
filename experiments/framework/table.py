"""Rows of cells below a heading, for a terminal, a page or docs/."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import rich.table
from rich import box
from rich.text import Text

from fcnn.cli.table import markdown, wrapped

Best = Literal["highest", "lowest"]
HALF = 66  # characters, with the space between columns, that half of a page is wide enough for
LONG = 26  # characters of a cell; a cell that has more is text
NUMBER = re.compile(r"[-−+]?(\d[\d,]*\.?\d*|\.\d+)(e[-+]?\d+)?")


class Table(NamedTuple):
    """A table. With `narrow`, its headings are broken at spaces, to fit 80 columns.

    `best` states for a column, by its heading, whether the highest or the lowest number is best.
    Its best cells are bold; a bound, as in "≥ 540", is none. `title` is shown above the table.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    narrow: bool = False
    best: Mapping[str, Best] = {}
    title: str = ""

    def marked(self) -> set[tuple[int, int]]:
        """Row and column of each best cell; none where all numbers of a column are equal."""
        cells = set()
        for name, which in self.best.items():
            column = self.head.index(name)
            known = lambda cell: None if cell.startswith(("≥", "≤")) else number(cell)
            values = {
                i: v for i, row in enumerate(self.rows) if (v := known(row[column])) is not None
            }
            best = (max if which == "highest" else min)(values.values(), default=0.0)
            if len(set(values.values())) > 1:
                cells |= {(i, column) for i, value in values.items() if value == best}
        return cells

    def rich(self) -> rich.table.Table:
        head = map(self._broken, range(len(self.head))) if self.narrow else self.head
        padding = 0 if self.narrow else (0, 1)
        shown = rich.table.Table(*head, box=box.SIMPLE_HEAD, show_edge=False, padding=padding)
        shown.title, shown.title_justify, shown.title_style = self.title or None, "left", "bold"
        for i, column in enumerate(shown.columns):
            column.no_wrap = self.narrow
            column.justify = "right" if i else "left"
        best = self.marked()
        for i, row in enumerate(self.rows):
            cells = (Text(cell, "bold" if (i, j) in best else "") for j, cell in enumerate(row))
            shown.add_row(*cells)
        return shown

    def fits_half(self) -> bool:
        """Whether half of a page is wide enough, with few headings that are broken at spaces."""
        columns = range(len(self.head))
        return len(columns) < 5 and sum(self._width(j) + 3 for j in columns) <= HALF

    def texts(self) -> set[int]:
        """The columns of text, whose cells a page breaks at spaces and aligns to the left."""
        long = lambda j: any(len(row[j]) > LONG for row in self.rows)
        return {j for j in range(len(self.head)) if long(j)}

    def _width(self, column: int) -> int:
        """Characters of the longest cell of a column, or word of its heading."""
        cells = (row[column] for row in self.rows)
        return max(map(len, (*self.head[column].split(), *cells)), default=1)

    def _broken(self, column: int) -> str:
        """A heading in lines that are no wider than the cells below, or than a word."""
        return "\n".join(wrapped(self.head[column], self._width(column)))

    def markdown(self) -> str:
        best = self.marked()
        bold = lambda i, j, cell: f"**{cell}**" if (i, j) in best else cell
        rows = [[bold(i, j, c) for j, c in enumerate(row)] for i, row in enumerate(self.rows)]
        return "\n".join(markdown(self.head, rows))


def number(cell: str) -> float | None:
    """The first number of a cell, or None.

    >>> number("1,951.5 ± 3"), number("–")
    (1951.5, None)
    """
    found = NUMBER.search(cell)
    return float(found[0].replace(",", "").replace("−", "-")) if found else None
