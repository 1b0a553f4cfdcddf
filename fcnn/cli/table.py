"""Tables: Markdown for a file or a pipe, columns that fit for a terminal."""

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice, zip_longest
from textwrap import wrap
from typing import NamedTuple

Cells = Sequence[str]


class Columns(NamedTuple):
    """The width of each column, and what is between two."""

    widths: list[int]
    gap: str


def terminal_width() -> int | None:
    """The columns of the terminal that shows standard output; None where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table(
    head: Cells, rows: Iterable[Cells], width: int | None, *, numbers: bool, names: Cells = ()
) -> Iterator[str]:
    """The lines of a table, each row as soon as it is there.

    Without `width` they are Markdown. Else they are at most so wide: cells are wrapped between
    words, those of the widest column first. Rows that are still to come are taken to be as wide as
    the first, with two digits more, and `names` are in their first column. `numbers` are aligned on
    the right, all but the first column.
    """
    if width is None:
        yield markdown(head)
        yield "|---|" + ("---:|" if numbers else "---|") * (len(head) - 1)
        yield from map(markdown, rows)
        return
    if isinstance(rows, Sequence):
        known = list(rows)
    else:
        coming = iter(rows)
        first = list(islice(coming, 1))
        known = [[name] for name in names] + [
            [row[0], *(f"{c}00" for c in row[1:])] for row in first
        ]
        rows = chain(first, coming)
    columns = fitted(head, known, width)
    yield from aligned(head, columns, numbers=numbers)
    yield columns.gap.join("-" * w for w in columns.widths)
    for row in rows:
        yield from aligned(row, columns, numbers=numbers)


def markdown(cells: Cells) -> str:
    return f"| {' | '.join(cells)} |"


def fitted(head: Cells, rows: Sequence[Cells], width: int) -> Columns:
    """Each column as wide as its widest cell, or less where all exceed `width`.

    None is narrower than its longest word. A head is wrapped to the cells below it.
    """
    cells = [[c for c in column if c] for column in zip_longest(*rows, fillvalue="")]
    cells += [[] for _ in range(len(head) - len(cells))]
    words = lambda texts: [len(word) for text in texts for word in text.split()]
    least = [max(words([h, *c]), default=1) for h, c in zip(head, cells, strict=True)]
    widths = [max([w, *map(len, c)]) for w, c in zip(least, cells, strict=True)]
    gap = "  " if sum(least) + 2 * (len(least) - 1) <= width else " "
    while sum(widths) + len(gap) * (len(widths) - 1) > width and widths != least:
        spare = [i for i in range(len(widths)) if widths[i] > least[i]]
        widths[max(spare, key=widths.__getitem__)] -= 1
    return Columns(widths, gap)


def aligned(cells: Cells, columns: Columns, *, numbers: bool) -> Iterator[str]:
    """One row of a table as lines."""
    lines = partial(wrap, break_long_words=False, break_on_hyphens=False)
    for line in zip_longest(*map(lines, cells, columns.widths), fillvalue=""):
        first, *others = zip(line, columns.widths, strict=True)
        side = str.rjust if numbers else str.ljust
        yield columns.gap.join([str.ljust(*first), *(side(*each) for each in others)]).rstrip()
