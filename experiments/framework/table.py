"""Rows of cells below a heading, for a terminal, a page or docs/."""

from collections.abc import Sequence
from typing import NamedTuple

import rich.table
from rich import box

from fcnn.cli.table import markdown


class Table(NamedTuple):
    """A table. With `narrow`, its headings are broken at spaces, to fit 80 columns."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    narrow: bool = False

    def rich(self) -> rich.table.Table:
        head = (name.replace(" ", "\n") for name in self.head) if self.narrow else self.head
        padding = 0 if self.narrow else (0, 1)
        shown = rich.table.Table(*head, box=box.SIMPLE_HEAD, show_edge=False, padding=padding)
        for i, column in enumerate(shown.columns):
            column.no_wrap = self.narrow
            column.justify = "right" if i else "left"
        for row in self.rows:
            shown.add_row(*row)
        return shown

    def markdown(self) -> str:
        return "\n".join(markdown(self.head, self.rows))
