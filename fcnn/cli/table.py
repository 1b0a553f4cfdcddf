"""Tables: Markdown for a file or a pipe, columns that fit a terminal.

Cells are wrapped at spaces. A word that is wider than its column is wrapped after `_`, `-` or `→`.
A part that is still too wide is wrapped after the `x` of a shape.
"""

import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, zip_longest
from typing import NamedTuple

Cells = Sequence[str]
HYPHEN = re.compile(r"(?<=\w[_→])(?=\w)|(?<=\w-)(?<!\de-)(?=\w)")  # but not in 1e-07
TIMES = re.compile(r"(?<=\d[x×])(?=\d)")


class Columns(NamedTuple):
    """The width of each column, and the spaces between two columns."""

    widths: list[int]
    gap: str


def terminal_width() -> int | None:
    """The columns of the terminal; None if standard output is not a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table(
    head: Cells,
    rows: Iterable[Cells],
    width: int | None,
    *,
    numbers: bool,
    left: int = 1,
    names: Cells = (),
) -> Iterator[str]:
    """The lines of a table, each row as soon as `rows` yields it.

    Without `width` the lines are Markdown. Otherwise no line is longer than `width` characters:
    cells are wrapped, in the widest column first. If `rows` is an iterator, column widths are
    computed from the first row, with two characters added to each number, and from `names`, which
    are the first cells of all rows. With `numbers`, all but the first `left` columns are aligned on
    the right.
    """
    if width is None:
        yield from markdown(head, rows, left=left if numbers else len(head))
        return
    if isinstance(rows, Sequence):
        known = list(rows)
    else:
        coming = iter(rows)
        first = list(islice(coming, 1))
        longer = [[*row[:left], *(f"{cell}00" for cell in row[left:])] for row in first]
        known = [*([name] for name in names), *longer]
        rows = chain(first, coming)
    columns = fitted(head, known, width)
    left = left if numbers else len(head)
    yield from aligned(head, columns, left=left)
    yield columns.gap.join("-" * w for w in columns.widths)
    for row in rows:
        yield from aligned(row, columns, left=left)


def markdown(head: Cells, rows: Iterable[Cells], *, left: int = 1) -> Iterator[str]:
    """The lines of a Markdown table; all but the first `left` columns are aligned on the right."""
    line = lambda cells: f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in cells)}|"
    yield line(head)
    yield line(["---"] * left + ["---:"] * (len(head) - left))
    yield from map(line, rows)


def fitted(head: Cells, rows: Sequence[Cells], width: int) -> Columns:
    """Columns as wide as their widest cell, or less if the table would be wider than `width`.

    No column is narrower than its longest piece. Titles are wrapped to the width of the cells.
    """
    cells = [[c for c in column if c] for column in zip_longest(*rows, fillvalue="")]
    cells += [[] for _ in range(len(head) - len(cells))]
    longest = lambda texts: max((len(p) for t in texts for p in pieces(t, 1)), default=1)
    least = [longest([h, *c]) for h, c in zip(head, cells, strict=True)]
    words = [max(map(len, h.split()), default=1) for h in head]
    widths = [max([w, n, *map(len, c)]) for w, n, c in zip(least, words, cells, strict=True)]
    gap = "  " if sum(least) + 2 * (len(least) - 1) <= width else " "
    while sum(widths) + len(gap) * (len(widths) - 1) > width and widths != least:
        spare = [i for i in range(len(widths)) if widths[i] > least[i]]
        widths[max(spare, key=widths.__getitem__)] -= 1
    return Columns(widths, gap)


def pieces(text: str, width: int) -> list[str]:
    """The parts of a text between which a line may end, for a column of `width` characters."""
    words = [part for word in text.split() for part in HYPHEN.split(word)]
    return [p for word in words for p in ([word] if len(word) <= width else TIMES.split(word))]


def wrapped(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` characters. A word that is too wide is cut into pieces."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + bool(lines[-1]) <= width:
            lines[-1] = f"{lines[-1]} {word}".lstrip()
            continue
        lines += [""] * bool(lines[-1])
        for piece in pieces(word, width):
            if lines[-1] and len(lines[-1]) + len(piece) > width:
                lines.append("")
            lines[-1] += piece
    return lines


def aligned(cells: Cells, columns: Columns, *, left: int) -> Iterator[str]:
    """One row of a table as lines; all but the first `left` cells are aligned on the right."""
    for line in zip_longest(*map(wrapped, cells, columns.widths), fillvalue=""):
        pairs = enumerate(zip(line, columns.widths, strict=True))
        padded = (cell.ljust(w) if i < left else cell.rjust(w) for i, (cell, w) in pairs)
        yield columns.gap.join(padded).rstrip()
