"""report.html: one self-contained page, with a map of where the worst gradients are wrong."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

import numpy as np

from fcnn.checker.report import COSTS, HEAD, Report, Row, cells_of, cells_of_cost, name

ROWS, COLUMNS = 40, 64  # of a map, at most
CELL = 11  # its side, in pixels
FAINT, STRONG = -9, 0  # powers of ten between which the colour deepens
MAPS = 12  # the worst leaves, which get one


def page(report: Report) -> str:
    """The page, as HTML."""
    wrong = [row for row in report.rows if not row.ok]
    right = [row for row in report.rows if row.ok]
    worst = sorted(wrong, key=lambda row: -row.error)[:MAPS]
    counted = f"{len(right):,} of {len(report.rows):,} gradients are right"
    costs = [(where, *cells_of_cost(c)) for where, each in report.costs.items() for c in each]
    return Template(
        files("fcnn.checker").joinpath("page.html").read_text(encoding="utf-8")
    ).substitute(
        title=escape(counted),
        verdict="right" if report.ok else "wrong",
        wrong=_section("Not right", "".join(map(_told, worst)) + _table(HEAD, wrong))
        if wrong
        else "",
        right=_section("Right", _table(HEAD, right), closed=len(right) > 60) if right else "",
        costs=_section("Cost", _cells(("of", *COSTS), costs), closed=len(costs) > 60)
        if costs
        else "",
        environment=_cells(("", ""), [(k, str(v)) for k, v in report.environment.items()]),
    )


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
    """The error of every entry, the last axis to the right and all others downwards."""
    if row.map is None or row.map.ndim == 0 or not row.map.size:
        return ""
    top = float(np.nanmax(np.where(np.isfinite(row.map), row.map, np.nan), initial=0)) or 1.0
    off = np.nan_to_num(row.map / top, nan=1.0, posinf=1.0)
    off = off.reshape(-1, off.shape[-1]) if off.ndim > 1 else off[None]
    rows, columns = off.shape
    off = _largest(_largest(off, 0, ROWS), 1, COLUMNS)
    with np.errstate(divide="ignore"):
        depth = np.clip((np.log10(off) - FAINT) / (STRONG - FAINT), 0, 1)
    squares = "".join(
        f"<rect x='{CELL * j}' y='{CELL * i}' width='{CELL - 1}' height='{CELL - 1}' "
        f"fill-opacity='{0.06 + 0.94 * depth[i, j]:.2f}'/>"
        for i, j in np.ndindex(*off.shape)
    )
    height, width = (CELL * n for n in off.shape)
    caption = (
        f"Error of each entry of {row.leaf} {row.shape}: {rows:,} × {columns:,}, the last axis to the "
        f"right. Pale: at most {10.0**FAINT:.0e} of the largest error, {top:.2g}."
    )
    if off.shape != (rows, columns):
        caption += " A square shows the worst of several entries."
    picture = f"<svg viewBox='0 0 {width} {height}' style='max-width:{width}px'>{squares}</svg>"
    text = escape(caption, quote=True)
    return f"<figure role='img' aria-label=\"{text}\">{picture}<figcaption>{text}</figcaption></figure>"


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
