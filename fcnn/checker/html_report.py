"""report.html: one self-contained page, with a map of where the worst gradients are wrong."""

import math
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

import numpy as np

from fcnn.checker.report import COSTS, HEAD, Report, Row, cells_of, cells_of_cost, name

ROWS, COLUMNS = 40, 64  # of a map, at most
CELL = 11  # its side, in pixels
FAINT = -6  # the power of ten, of the largest error, from which the colour deepens
MAPS = 12  # the worst leaves, which get one


def page(report: Report) -> str:
    """The page, as HTML."""
    wrong = [row for row in report.rows if not row.ok]
    right = [row for row in report.rows if row.ok]
    worst = sorted(wrong, key=lambda row: -row.error)[:MAPS]
    counted = f"{len(right):,} of {len(report.rows):,} gradients are right"
    costs = [(where, *cells_of_cost(c)) for where, each in report.costs.items() for c in each]
    return Template(
        files("fcnn.checker").joinpath("html_report.html").read_text(encoding="utf-8")
    ).substitute(
        title=escape(counted),
        verdict="right" if report.ok else "wrong",
        wrong=_section("Not right", "".join(map(_told, worst)) + _table(HEAD, wrong))
        if wrong
        else "",
        notes="".join(_note(problem, line) for problem, line in _lines(report)),
        right=_section("Right", _table(HEAD, right), closed=len(right) > 60) if right else "",
        costs=_section("Cost", _cells(("of", *COSTS), costs), closed=len(costs) > 60)
        if costs
        else "",
        environment=_cells(("", ""), [(k, str(v)) for k, v in report.environment.items()]),
    )


def _lines(report):
    """Every line of the notes, with its problem."""
    return [(problem, line) for problem, note in report.notes.items() for line in note.splitlines()]


def _note(problem, line):
    return f"<p class='note'><b>{escape(problem)}</b>: {escape(line)}</p>"


def _section(title, body, closed=False):
    if closed:
        return f"<details><summary><h2>{title}</h2></summary>{body}</details>"
    return f"<h2>{title}</h2>{body}"


def _told(row: Row):
    """The sentence on one leaf, and its map."""
    says = escape(row.says or "No known mistake explains it.")
    head = f"<p><b>{escape(row.problem)}</b>: <code>{escape(name(row))}</code> {says}</p>"
    return f"<section class='leaf'>{head}{_map(row)}</section>"


def _map(row: Row) -> str:
    """The error of every entry: the first half of the axes downwards, the others to the right."""
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
        f"The strongest is {top:.2g} off; the palest at most {10.0**FAINT:.0e} of that."
    )
    if shown.shape != off.shape:
        caption += " A square shows the worst of several entries."
    text = escape(caption, quote=True)
    return (
        f'<figure role="img" aria-label="{text}">{picture}<figcaption>{text}</figcaption></figure>'
    )


def _largest(a, axis, most):
    """The largest entry of each of at most `most` stretches along an axis."""
    if a.shape[axis] <= most:
        return a
    starts = np.linspace(0, a.shape[axis], most, endpoint=False).astype(int)
    return np.maximum.reduceat(a, starts, axis)


def _table(head: Sequence[str], rows: Sequence[Row]) -> str:
    return _cells(("of", *head), [(row.problem, *cells_of(row)) for row in rows])


def _cells(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    used = [k for k in range(len(head)) if any(line[k] for line in lines)]
    line = lambda tag, cells: "".join(f"<{tag}>{escape(cells[k])}</{tag}>" for k in used)
    body = "".join(f"<tr>{line('td', cells)}</tr>" for cells in lines)
    top = f"<thead><tr>{line('th', head)}</tr></thead>" if any(head) else ""
    return f"<div class='wide'><table>{top}<tbody>{body}</tbody></table></div>"
