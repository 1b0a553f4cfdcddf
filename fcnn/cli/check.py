"""fcnn check: verdicts on gradients, and the name of the mistake in a wrong gradient."""

import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

from fcnn.bench import Cost
from fcnn.checker import Report, Row, check
from fcnn.checker.cases import has_gradient
from fcnn.checker.evidence import TOLERANCE
from fcnn.checker.report import columns, name
from fcnn.checker.verdict import KINK, NOISY, NOT_DETERMINISTIC, NOT_FINITE, RIGHT, WRONG
from fcnn.cli import compile_cache
from fcnn.cli.load import blamed
from fcnn.cli.output import File, Misuse, add_json, show, try_place, write
from fcnn.cli.progress import progress
from fcnn.cli.table import table, terminal_width
from fcnn.cli.target import Target, target
from fcnn.ops import OPS

WORST_FIRST = (NOT_DETERMINISTIC, NOT_FINITE, WRONG, NOISY, KINK, RIGHT)
HEAD = ("operator", "impl", "dtype", "count", "verdict", "worst error")
HEAD += ("hand", "autodiff", "hand saves", "autodiff saves")
EXIT = "Exit code: 0 if every gradient is right, 1 if one is not, 2 if the command line or FILE.py "
EXIT += "is wrong, or if a report cannot be written."
JSON = "The output of --json is one object with the keys format, ok, rows, costs, notes and "
JSON += (
    "environment. format is 1; it changes when a key is renamed, removed or changes its meaning."
)


def add_to(tools) -> None:
    tool = tools.add_parser(
        "check",
        help="check gradients, and name the mistake in a wrong one",
        description="Compare gradients with autodiff and finite differences, in float64 and then "
        "in --dtype, and name the mistake in a wrong one. " + EXIT,
        epilog="FILE.py:NAME is an operator, a jax.custom_vjp function, or a forward function. The "
        "gradient of a forward function is in the same file: NAME_backward(*args, dy), or NAME_fwd "
        "and NAME_bwd. The arguments are there too: NAME_args is a tuple, or a function that "
        "returns a tuple. "
        "With --args, random arguments are used instead. " + JSON,
    )
    tool.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="operator, or FILE.py:NAME (default: all operators)",
    )
    tool.add_argument(
        "--args",
        nargs="+",
        metavar="SHAPE",
        help="shapes of random normal arguments, as in 2,5,6,3 3,3,3,4",
    )
    tool.add_argument(
        "--dtype",
        choices=[*TOLERANCE],
        help="check in this dtype too (default: dtypes of the arguments)",
    )
    tool.add_argument(
        "--order",
        type=int,
        choices=[1, 2],
        default=1,
        help="2 checks second derivatives too (default: 1)",
    )
    tool.add_argument("--seed", type=int, default=0, help="seed of random numbers (default: 0)")
    compile_cache.add_option(tool)
    add_json(tool)
    tool.add_argument("--html", type=Path, metavar="FILE.html", help="write an HTML report too")
    tool.set_defaults(run=run)


def run(chosen) -> int:
    try:
        for option, path in (("--json", chosen.json), ("--html", chosen.html)):
            if isinstance(path, Path):
                try_place(option, path)
        _require_page(chosen.html)
        compile_cache.use("fcnn check", chosen.compile_cache)
        with redirect_stdout(sys.stderr):  # output of the user's file or function
            targets = [target(n, chosen.args, chosen.seed) for n in chosen.names or _operators()]
            reports = [_checked(t, chosen) for t in progress(targets, lambda t: t.name)]
    except ValueError as misuse:
        print(f"fcnn check: {misuse}", file=sys.stderr)
        return 2
    whole = merged(reports)
    shown = whole.to_json() if chosen.json is True else text(targets, reports)
    broken = show([shown], keep_on=True)
    pages: list[File] = []
    if isinstance(chosen.json, Path):
        pages.append(("--json", chosen.json, whole.to_json))
    if chosen.html is not None:
        pages.append(("--html", chosen.html, whole.to_html))
    written = write("fcnn check", pages)
    if broken:
        raise broken
    return (0 if whole.ok else 1) if written else 2


def _require_page(path: Path | None) -> None:
    """Raise Misuse if the name does not end in .html: the report might overwrite a source file."""
    if path is None or path.suffix.lower() in (".html", ".htm"):
        return
    if path.is_file() or not path.exists():  # a device or a pipe may have any name
        raise Misuse(f"--html {path}: does not end in .html; write each NAME before --html")


def _operators() -> list[str]:
    """All operators with a case that has a gradient."""
    return [op.name for op in OPS if has_gradient(op)]


def _checked(t: Target, chosen) -> Report:
    options = {"dtype": chosen.dtype, "order": chosen.order, "seed": chosen.seed}
    with blamed(t.path, t.name):
        report = check(t.f, t.args, backward=t.backward, **options)
    return with_note(report, t.note) if t.note else report


def with_note(report: Report, note: str) -> Report:
    """The report with a line added to the notes of its first problem."""
    problem = report.rows[0].problem
    lines = [note, *report.notes.get(problem, "").splitlines()]
    return replace(report, notes={**report.notes, problem: "\n".join(lines)})


def merged(reports: list[Report]) -> Report:
    """One report with the rows, costs and notes of all reports."""
    rows = tuple(row for report in reports for row in report.rows)
    costs = {name: cost for report in reports for name, cost in report.costs.items()}
    notes = {name: note for report in reports for name, note in report.notes.items()}
    return replace(reports[0], rows=rows, costs=costs, notes=notes)


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
