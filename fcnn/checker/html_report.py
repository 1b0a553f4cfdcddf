"""The report of a check as HTML, with an error map for each of the worst gradients."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np

from fcnn.bench import Cost
from fcnn.checker.row import COSTS, HEAD, Row, cells_of, cells_of_cost, name

ROWS, COLUMNS = 40, 64  # largest number of squares along each side of a map
CELL = 11  # pixels, the side of a square
FAINT = -6  # log10 of (error / largest error) at which a square is palest
MAPS = 12  # the number of worst gradients that are shown with a map
LONG = 60  # a table with more rows is collapsed

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>fcnn check: $title</title>
<style>body { margin: 0 auto; max-width: 70rem; padding: 2rem 1rem 4rem; background: #fff; }
@media print { body { max-width: none; padding: 0; } }</style>
</head>
<body>
$section
</body>
</html>
"""


def page(
    rows: Sequence[Row],
    costs: Mapping[str, Sequence[Cost]],
    notes: Mapping[str, str],
    environment: Mapping[str, Any],
) -> str:
    """A self-contained page."""
    shown = section(rows, costs, notes, environment)
    return Template(PAGE).substitute(title=escape(_title(rows)), section=shown)


def section(
    rows: Sequence[Row],
    costs: Mapping[str, Sequence[Cost]],
    notes: Mapping[str, str],
    environment: Mapping[str, Any],
) -> str:
    """The part of the page that a notebook shows; its style applies only to this section."""
    wrong = [row for row in rows if not row.ok]
    right = [row for row in rows if row.ok]
    worst = sorted(wrong, key=lambda row: -row.error)[:MAPS]
    lines = [(problem, *cells_of_cost(c)) for problem, each in costs.items() for c in each]
    template = files("fcnn.checker").joinpath("html_report.html").read_text(encoding="utf-8")
    return Template(template).substitute(
        title=escape(_title(rows)),
        verdict="wrong" if wrong else "right",
        wrong=_part("Not right", "".join(map(_leaf, worst)) + _table(wrong)) if wrong else "",
        notes="".join(
            _note(problem, line) for problem, note in notes.items() for line in note.splitlines()
        ),
        right=_part("Right", _table(right), folded=len(right) > LONG) if right else "",
        costs=_part("Cost", _cells(("function", *COSTS), lines), folded=len(lines) > LONG)
        if lines
        else "",
        environment=_cells(("", ""), [(k, str(v)) for k, v in environment.items()]),
    )


def _title(rows):
    right = sum(row.ok for row in rows)
    return f"{right:,} of {len(rows):,} gradients are right"


def _note(problem, line):
    return f"<p class='note'><b>{escape(problem)}</b>: {escape(line)}</p>"


def _part(title, body, folded=False):
    if folded:
        return f"<details><summary><h2>{title}</h2></summary>{body}</details>"
    return f"<h2>{title}</h2>{body}"


def _leaf(row: Row):
    """The sentence on one leaf, and its map."""
    says = escape(row.says or "is wrong; the mistake is not a known one.")
    head = f"<p><b>{escape(row.problem)}</b>: <code>{escape(name(row))}</code> {says}</p>"
    return f"<section class='leaf'>{head}{_map(row)}</section>"


def _map(row: Row) -> str:
    """The map of errors. The first half of the axes is vertical, the other axes are horizontal."""
    if row.map is None or not row.map.size:
        return ""
    shape = row.map.shape
    rows = math.prod(shape[: len(shape) // 2])
    top = float(row.map[np.isfinite(row.map)].max(initial=0)) or 1.0
    off = np.nan_to_num(row.map / top, nan=1.0, posinf=1.0).reshape(rows, -1)
    shown = _largest(_largest(off, 0, ROWS), 1, COLUMNS)
    with np.errstate(divide="ignore"):
        depth = np.clip(1 - np.log10(shown) / FAINT, 0, 1)
    squares = "".join(
        f"<rect x='{CELL * j}' y='{CELL * i}' width='{CELL - 1}' height='{CELL - 1}' "
        f"fill-opacity='{0.06 + 0.94 * depth[i, j]:.2f}'/>"
        for i, j in np.ndindex(*shown.shape)
    )
    height, width = (CELL * n for n in shown.shape)
    picture = f"<svg viewBox='0 0 {width} {height}' style='max-width:{width}px'>{squares}</svg>"
    caption = (
        f"Error of each entry of {row.leaf}, shape {shape}, as {rows:,} rows of {off.shape[1]:,}. "
        f"The darkest square is an error of {top:.2g}, the palest {10.0**FAINT:.0e} of it or less."
    )
    if shown.shape != off.shape:
        caption += " A square shows the largest error of several entries."
    text = escape(caption, quote=True)
    return (
        f'<figure role="img" aria-label="{text}">{picture}<figcaption>{text}</figcaption></figure>'
    )


def _largest(a, axis, most):
    """Cut an axis into at most `most` segments, and return the largest entry of each segment."""
    if a.shape[axis] <= most:
        return a
    starts = np.linspace(0, a.shape[axis], most, endpoint=False).astype(int)
    return np.maximum.reduceat(a, starts, axis)


def _table(rows: Sequence[Row]) -> str:
    return _cells(("function", *HEAD), [(row.problem, *cells_of(row)) for row in rows])


def _cells(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    used = [k for k in range(len(head)) if any(line[k] for line in lines)]
    line = lambda tag, cells: "".join(f"<{tag}>{escape(cells[k])}</{tag}>" for k in used)
    body = "".join(f"<tr>{line('td', cells)}</tr>" for cells in lines)
    top = f"<thead><tr>{line('th', head)}</tr></thead>" if any(head) else ""
    return f"<div class='wide'><table>{top}<tbody>{body}</tbody></table></div>"
