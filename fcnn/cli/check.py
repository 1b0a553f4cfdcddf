"""fcnn check: verdicts on gradients, and the name of the mistake in a wrong gradient."""

import sys
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from time import monotonic

from fcnn.checker import Report
from fcnn.checker.cases import has_gradient
from fcnn.checker.evidence import TOLERANCE
from fcnn.checker.progress import Progress
from fcnn.checker.run import report_of, run as run_check
from fcnn.checker.status_line import since, status_line
from fcnn.cli import compile_cache
from fcnn.cli.load import blamed
from fcnn.cli.output import File, Misuse, add_json, show, try_place, write
from fcnn.cli.progress import bar
from fcnn.cli.target import Target, target
from fcnn.cli.verdict_table import text
from fcnn.cli.watch import watch
from fcnn.ops import OPS

EXIT = "Exit code: 0 if every gradient is right, 1 if one is not, 2 if the command line or FILE.py "
EXIT += "is wrong, or if a report cannot be written, 130 after Ctrl-C."
JSON = "The output of --json is one object with the keys format, ok, interrupted, rows, costs, "
JSON += "notes and environment. format is 1; it changes when a key is renamed, removed or changes "
JSON += "its meaning."
AFTER = 0.5  # seconds until the progress bar is shown


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
    tool.add_argument(
        "--watch",
        action="store_true",
        help="check again whenever FILE.py, or a module that it imports from its folder, is saved, "
        "until Ctrl-C; the exit code is that of the last check",
    )
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
        paths = _watched(chosen) if chosen.watch else []
        compile_cache.use("fcnn check", chosen.compile_cache)
    except ValueError as misuse:
        return _misuse(misuse)
    if not paths:
        return check_once(chosen)
    clear = sys.stdout.isatty() and chosen.json is not True
    return watch(paths, lambda: check_once(chosen), clear=clear)


def check_once(chosen) -> int:
    """Check all targets, print and write the report, and return the exit code.

    After Ctrl-C, the report has the rows judged so far, and the exit code is 130.
    """
    reports: list[Report] = []
    targets: list[Target] = []
    interrupted = ""
    progress, started = Progress(), monotonic()
    names = chosen.names or _operators()
    position = lambda: _position(names, len(reports), progress, started)
    try:
        with redirect_stdout(sys.stderr):  # output of the user's file or function
            targets = [target(n, chosen.args, chosen.seed) for n in names]
            try:
                with status_line(position, after=AFTER):
                    for t in targets:
                        progress = Progress()
                        reports.append(_checked(t, chosen, progress))
            except KeyboardInterrupt:
                interrupted = _interruption(targets, len(reports), progress)
                if progress.rows:
                    reports.append(_report(targets[len(reports)], chosen, progress))
    except ValueError as misuse:
        if reports:  # nothing that was checked before is lost
            _output(chosen, targets, reports, f"after {len(reports)} of {len(targets)} functions")
        return _misuse(misuse)
    code = _output(chosen, targets, reports, interrupted) if reports else 0
    if not interrupted:
        return code
    print(f"fcnn check: interrupted {interrupted}", file=sys.stderr)
    return 130


def _misuse(misuse: ValueError) -> int:
    print(f"fcnn check: {misuse}", file=sys.stderr)
    return 2


def _output(chosen, targets: list[Target], reports: list[Report], interrupted: str) -> int:
    """Print the report, write it to files, and return the exit code."""
    whole = replace(merged(reports), interrupted=interrupted)
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


def _position(names: list[str], done: int, progress: Progress, started: float) -> str:
    """The progress bar, and the case or leaf that is being checked."""
    count = f"{done}/{len(names)}  " if len(names) > 1 else ""
    share = min((done + progress.share) / len(names), 1.0)
    return f"{bar(share)} {count}{since(started)}  {progress}"


def _interruption(targets: list[Target], done: int, progress: Progress) -> str:
    """How much was checked: "after 3 of 75 operators and 5 of 87 cases of conv"."""
    current = targets[min(done, len(targets) - 1)].name
    parts = []
    if len(targets) > 1:
        operators = all(t.path is None for t in targets)
        parts.append(f"{done} of {len(targets)} {'operators' if operators else 'functions'}")
    if progress.leaves and done < len(targets):
        parts.append(f"{progress.judged} of {current}")
    return f"after {' and '.join(parts)}" if parts else f"before the first gradient of {current}"


def _watched(chosen) -> list[Path]:
    """The files of --watch.

    Raises: ValueError if there is none, or if a file does not exist.
    """
    paths = [Path(n.rpartition(":")[0]) for n in chosen.names if ":" in n]
    if not paths:
        given = " ".join(chosen.names)
        write_it = f"write {given}:NAME" if given.endswith(".py") else "write FILE.py:NAME"
        has = f"{given} is not FILE.py:NAME" if given else "no FILE.py:NAME is given"
        raise Misuse(f"--watch: {has}, so there is no file to watch; {write_it}")
    for path in paths:
        if not path.is_file():
            raise Misuse(f"there is no file {path}")
    return list(dict.fromkeys(paths))


def _require_page(path: Path | None) -> None:
    """Raise Misuse if the name does not end in .html: the report might overwrite a source file."""
    if path is None or path.suffix.lower() in (".html", ".htm"):
        return
    if path.is_file() or not path.exists():  # a device or a pipe may have any name
        raise Misuse(f"--html {path}: does not end in .html; write each NAME before --html")


def _operators() -> list[str]:
    """All operators with a case that has a gradient."""
    return [op.name for op in OPS if has_gradient(op)]


def _checked(t: Target, chosen, progress: Progress) -> Report:
    options = {"dtype": chosen.dtype, "order": chosen.order, "seed": chosen.seed}
    with blamed(t.path, t.name):
        run_check(t.f, t.args, progress, backward=t.backward, **options)
    return _report(t, chosen, progress)


def _report(t: Target, chosen, progress: Progress) -> Report:
    report = report_of(progress, chosen.seed)
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
