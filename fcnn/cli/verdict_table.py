"""The text that `fcnn check` prints: a table of operators, or the reports of functions."""

from collections.abc import Iterator
from dataclasses import replace

from fcnn.bench import Cost
from fcnn.checker import Report, Row
from fcnn.checker.report import columns, name
from fcnn.checker.verdict import KINK, NOISY, NOT_DETERMINISTIC, NOT_FINITE, RIGHT, WRONG
from fcnn.cli.table import table, terminal_width
from fcnn.cli.target import Target

WORST_FIRST = (NOT_DETERMINISTIC, NOT_FINITE, WRONG, NOISY, KINK, RIGHT)
HEAD = ("operator", "impl", "dtype", "count", "verdict", "worst error")
HEAD += ("hand", "autodiff", "hand saves", "autodiff saves")


def text(targets: list[Target], reports: list[Report]) -> str:
    """One line per operator and implementation, then choices at kinks, then wrong gradients.

    If a target is a function with arguments, all reports are printed in full instead.
    """
    if any(t.args is not None for t in targets):
        return "\n\n".join(map(str, reports))
    lines = [line for report in reports for line in _lines(report)]
    failed = [
        replace(r, rows=tuple(x for x in r.rows if not x.ok), costs={}) for r in reports if not r.ok
    ]
    wrong = sum(len(report.rows) for report in failed)
    count = sum(len(report.rows) for report in reports)
    end = f"{count - wrong:,} of {count:,} gradients are right."
    choices = [*filter(None, ["\n".join(_choices(reports))])]
    return "\n\n".join(["\n".join(_table(lines)), *choices, *map(str, failed), end])


def _choices(reports: list[Report]) -> list[str]:
    """For each operator, the first gradient that is accepted at a kink, with place and reason."""
    first: dict[str, Row] = {}
    for row in (row for report in reports for row in report.rows if row.verdict == KINK):
        first.setdefault(row.problem.partition(":")[0], row)
    return [f"{row.problem}: {name(row)}: {row.says}" for row in first.values()]


def _table(lines: list[tuple[str, ...]]) -> list[str]:
    width = terminal_width()
    return columns(HEAD, *lines) if width is None else [*table(HEAD, lines, width, numbers=False)]


def _lines(report: Report) -> Iterator[tuple[str, ...]]:
    """One line for each implementation and dtype."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in report.rows:
        op = row.problem.partition(":")[0]
        groups.setdefault((op, row.impl or "–", row.dtype), []).append(row)
    for (op, impl, dtype), rows in groups.items():
        verdict = min((row.verdict for row in rows), key=WORST_FIRST.index)
        verdict = RIGHT if verdict == KINK else verdict
        error = max(row.error if row.own_error is None else row.own_error for row in rows)
        cost = next((report.costs[r.problem] for r in rows if r.problem in report.costs), [])
        yield op, impl, dtype, f"{len(rows)}", verdict, f"{error:.0e}", *_costs(cost)


def _costs(cost: list[Cost]) -> tuple[str, ...]:
    backward = {c.what: c for c in cost}
    ways = [backward.get(f"backward by {way}") for way in ("hand", "autodiff")]
    times = [f"{1e6 * c.seconds:,.0f} µs" if c else "" for c in ways]
    return *times, *(f"{c.saved_bytes:,} B" if c else "" for c in ways)
