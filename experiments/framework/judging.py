"""`python -m experiments judge FILE.json`: judge kept results again, without measuring."""

from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from experiments.framework import finite_json
from experiments.framework.claim import differences, first_registered
from experiments.framework.exit_codes import EXIT, verdict_code
from experiments.framework.experiment import Experiment, Record
from experiments.framework.finite_json import Damaged
from experiments.framework.options import refuse
from experiments.framework.running import show_verdicts
from experiments.framework.screen import Screen
from experiments.framework.verdict import Verdict, judge

PROG = "python -m experiments judge"
KEPT = {"config": dict | None, "claims": list | None, "registered": list | None}


def judge_again(e: Experiment, kept: dict[str, Any]) -> tuple[list[Verdict], list[str]]:
    """The verdicts on a kept result, and how the claims that were first registered differ from the
    record's.

    Raises: ValueError, with one line, if the record cannot read the result.
    """
    try:
        verdicts = judge(e.claims, e.evidence(e.read(kept)))
        now = [each.verdict for each in verdicts]
        return verdicts, differences(first_registered(kept), e.claims, now)
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"is no results.json of {e.name}, or is incomplete: {text}") from error


def main(arguments: list[str], names: Sequence[str], record: Callable[[str], Record]) -> int:
    """Judge the file as the command line asks; the exit code."""
    parser = ArgumentParser(PROG, description=f"Judge kept results again. {EXIT}")
    parser.add_argument("file", type=Path, metavar="FILE.json", help="results.json of a run")
    path = parser.parse_args(arguments).file
    try:
        kept = finite_json.read(path, KEPT)
        name = _experiment(path, kept, names)
        if not isinstance(e := record(name), Experiment):
            raise ValueError(f"experiment {name} makes no claim")
        if kept.get("stopped"):
            raise ValueError("is of a run that was stopped; --continue its folder first")
        if (kept.get("config") or {}).get("smoke"):
            raise ValueError("is of a run with --smoke, which judges no claim")
        verdicts, changes = judge_again(e, kept)
    except OSError as error:
        return refuse(f"{PROG}: {path}: {error.strerror}")
    except Damaged as error:
        return refuse(f"{PROG}: {error}")
    except ValueError as error:
        return refuse(f"{PROG}: {path}: {error}")
    screen = Screen()
    show_verdicts(screen, verdicts)
    for line in [*(["Changes since the claims were registered:"] if changes else []), *changes]:
        screen.print(line, soft_wrap=True)
    return verdict_code(verdicts)


def _experiment(path: Path, kept: dict[str, Any], names: Sequence[str]) -> str:
    """The name of the experiment: in the file, or of a folder that the file is in."""
    found = [kept.get("experiment"), *(folder.name for folder in path.resolve().parents)]
    name = next((name for name in found if name in names), None)
    if name is None:
        raise ValueError("names no known experiment")
    return name
