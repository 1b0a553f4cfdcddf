"""Numbers as text, and tables of HTML."""

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

NOT_FINITE = "not finite"


def finite(value: Any) -> float | None:
    """A number as a float; None if it is null or not finite."""
    return float(value) if value is not None and math.isfinite(value) else None


def number(value: Any) -> str:
    """A number with four significant digits, or "not finite"."""
    known = finite(value)
    return NOT_FINITE if known is None else f"{known:,.0f}" if _whole(known) else f"{known:.4g}"


def measure(name: str, value: Any) -> str:
    """The value of a metric: an accuracy in percent, others as numbers."""
    known = finite(value)
    return f"{known:.1%}" if known is not None and is_share(name, [known]) else number(value)


def is_share(name: str, values: Iterable[float]) -> bool:
    """Whether a metric is a share from 0 to 1 that is shown in percent: an accuracy."""
    return name.endswith("accuracy") and all(0 <= value <= 1 for value in values)


def epochs(value: float) -> str:
    """A number of epochs with up to two decimals."""
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def duration(seconds: float) -> str:
    """Seconds as 0.52 s, 41 s, 3 min 12 s or 2 h 5 min."""
    if seconds < 9.95:
        return f"{seconds:.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


def table(head: Sequence[str], lines: Iterable[Sequence[str]], *, label: str) -> str:
    """A table whose first column names the rows, in a box that scrolls if it is too wide.

    Options:
        head: names of the columns; none for a table of names and values.
        label: description for screen readers.
    """
    top = "".join(f"<th scope='col'>{escape(cell)}</th>" for cell in head)
    body = "".join(_line(line) for line in lines)
    rows = (f"<thead><tr>{top}</tr></thead>" if head else "") + f"<tbody>{body}</tbody>"
    return box(f"<table>{rows}</table>", label)


def box(content: str, label: str, kind: str = "") -> str:
    """A box that scrolls by itself, also with the keyboard, if its content is too wide."""
    name = f"wide {kind}".strip()
    opening = f"<div class='{name}' tabindex='0' role='region' aria-label='{escape(label)}'>"
    return f"{opening}{content}</div>"


def _line(cells):
    first, *others = map(escape, cells)
    return f"<tr><th scope='row'>{first}</th>{''.join(f'<td>{c}</td>' for c in others)}</tr>"


def _whole(value):
    return value == int(value) and abs(value) < 1e9
