"""The report of a check as HTML, with an error map for each of the worst gradients."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from fcnn.bench import Cost
from fcnn.checker.error_map import error_map, styles
from fcnn.checker.row import COSTS, HEAD, Row, cells_of, cells_of_cost, name

MAPS = 12  # the number of worst gradients that are shown with a map
LONG = 60  # a table with more rows is collapsed

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>fcnn check: $title</title>
<meta name="color-scheme" content="light dark">
<style>body { margin: 0 auto; max-width: 72rem; padding: 1rem 0 3rem; background: #fff; }
@media (prefers-color-scheme: dark) { body { background: #14181d; } }
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
    interrupted: str = "",
) -> str:
    """A self-contained page."""
    shown = section(rows, costs, notes, environment, interrupted)
    return Template(PAGE).substitute(title=escape(_title(rows)), section=shown)


def section(
    rows: Sequence[Row],
    costs: Mapping[str, Sequence[Cost]],
    notes: Mapping[str, str],
    environment: Mapping[str, Any],
    interrupted: str = "",
) -> str:
    """The part of the page that a notebook shows; its style applies only to this section."""
    wrong = [row for row in rows if not row.ok]
    right = [row for row in rows if row.ok]
    worst = sorted(wrong, key=lambda row: -row.error)[:MAPS]
    lines = [(problem, *cells_of_cost(c)) for problem, each in costs.items() for c in each]
    template = files("fcnn.checker").joinpath("html_report.html").read_text(encoding="utf-8")
    return Template(template).substitute(
        colours=styles(),
        title=escape(_title(rows)),
        verdict="wrong" if wrong else "unsure" if interrupted else "right",
        wrong=_part("Not right", "".join(map(_leaf, worst)) + _table(wrong)) if wrong else "",
        notes=_interruption(interrupted)
        + "".join(
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


def _interruption(interrupted):
    if not interrupted:
        return ""
    return (
        f"<p class='note'><b>Interrupted {escape(interrupted)}</b>; the others are not judged.</p>"
    )


def _leaf(row: Row):
    """The sentence on one leaf, the values at its worst entry, and the map of errors."""
    says = escape(row.says or "is wrong; the mistake is not a known one.")
    says = re.sub(r"`([^`]+)`", r"<code>\1</code>", says)  # lines of the function
    head = f"<p><b>{escape(row.problem)}</b>: <code>{escape(name(row))}</code> {says}</p>"
    return f"<section class='leaf'>{head}{_values(row)}{error_map(row)}</section>"


def _values(row: Row):
    """The gradients at the worst entry: claimed, by autodiff and by finite differences."""
    cells = dict(zip(HEAD, cells_of(row), strict=True))
    known = [(k, cells[k]) for k in ("claimed", "autodiff", "differences") if cells[k]]
    if not known:
        return ""
    at = f" at {cells['worst at']}" if cells["worst at"] else ""
    values = ", ".join(f"{what} <b>{escape(value)}</b>" for what, value in known)
    return f"<p class='soft values'>{escape(name(row))}{at}: {values}</p>"


def _table(rows: Sequence[Row]) -> str:
    return _cells(("function", *HEAD), [(row.problem, *cells_of(row)) for row in rows])


def _cells(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    used = [k for k in range(len(head)) if any(line[k] for line in lines)]
    line = lambda tag, cells: "".join(f"<{tag}>{escape(cells[k])}</{tag}>" for k in used)
    body = "".join(f"<tr>{line('td', cells)}</tr>" for cells in lines)
    top = f"<thead><tr>{line('th', head)}</tr></thead>" if any(head) else ""
    return f"<div class='wide'><table>{top}<tbody>{body}</tbody></table></div>"
