"""Kept results: experiments/results/NAME/DATA.json, judged by today's record and rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import experiments
from experiments.framework import finite_json
from experiments.framework.claim import NotJudged, differences, first_registered
from experiments.framework.experiment import Command, Experiment, Record
from experiments.framework.judging import judge_again
from experiments.framework.source import source
from experiments.framework.verdict import Verdict, judge

CONTENT = {
    **dict.fromkeys(("config", "environment", "machine", "options"), dict | None),
    **{
        "claims": list | None,
        "registered": list | None,
        "minutes": int | float | None,
        "source": str | None,
    },
}
BENCH = {"bench": str, "dtype": str, "rounds": int}  # of a command's result
MACHINE = {
    **{"device": str, "processor": str, "cores": int | None},
    **{"time": str | None, "commit": str | None},
}
UNREADABLE = "today's record cannot read this result"
OLDER = "older than its measurement"
UNRECORDED = "measured before sources were recorded"


@dataclass(frozen=True)
class Kept:
    """A kept result of one experiment on one data set and device."""

    name: str  # of the experiment
    file: Path
    content: Mapping[str, Any]
    verdicts: list[Verdict]
    changes: list[str]  # of claims since they were registered

    @property
    def config(self) -> Mapping[str, Any]:
        return self.content.get("config") or {}

    @property
    def environment(self) -> Mapping[str, Any]:
        return self.content.get("environment") or self.content.get("machine") or {}

    @property
    def options(self) -> Mapping[str, Any]:
        """The options of its command line. Runs of before they were recorded had none."""
        return self.content.get("options") or {}

    @property
    def data(self) -> str:
        return self.config.get("dataset") or "–"

    @property
    def minutes(self) -> float | None:
        return self.content.get("minutes")

    @property
    def date(self) -> str:
        return (self.environment.get("time") or "–")[:10]

    @property
    def commit(self) -> str:
        changed = ", changed" if self.environment.get("uncommitted changes") else ""
        return f"{(self.environment.get('commit') or '–')[:7]}{changed}"

    @property
    def device(self) -> str:
        return device(self.environment)

    @property
    def mark(self) -> str:
        """Why the result may not be that of today's measurement; empty if it is."""
        recorded = self.content.get("source")
        return UNRECORDED if not recorded else "" if recorded == source(self.name) else OLDER


def folder() -> Path:
    """experiments/results/."""
    return Path(experiments.__path__[0]) / "results"


def kept(e: Record) -> list[Kept]:
    """The kept results of an experiment; that of its default run comes first.

    Raises: Damaged, with the name of the file; OSError if one cannot be read.
    """
    found = [read(e, path) for path in sorted((folder() / e.name).glob("*.json"))]
    return sorted(found, key=lambda each: _distance(e, each))


def read(e: Record, path: Path) -> Kept:
    """The kept result in a file.

    Raises: Damaged, with the name of the file; OSError if it cannot be read.
    """
    return parsed(e, path, path.read_bytes())


def parsed(e: Record, path: Path, text: bytes) -> Kept:
    """The kept result in a text of the file `path`, as `read` returns it."""
    content = finite_json.parsed(path, text, CONTENT | (BENCH if isinstance(e, Command) else {}))
    found = Kept(e.name, path, content, [], [])
    finite_json.require(path, found.config, {"dataset": str | None})
    finite_json.require(path, found.environment, MACHINE)
    for claim in [*(content.get("claims") or ()), *(content.get("registered") or ())]:
        finite_json.require(path, claim, {})
    return found if isinstance(e, Command) else replace(found, **_judged(e, content))


def _judged(e: Experiment, content: dict[str, Any]) -> dict[str, Any]:
    """The verdicts, and how the claims of the run differ from the record's."""
    try:
        verdicts, changes = judge_again(e, content)
    except ValueError:
        verdicts = judge(e.claims, [NotJudged(UNREADABLE)] * len(e.claims))
        changes = differences(first_registered(content), e.claims)
    return {"verdicts": verdicts, "changes": changes}


def _distance(e: Record, found: Kept) -> tuple[bool, bool, str]:
    other = found.data != default_data(e) or bool(special(e, found.data, found.options))
    return (other, not _on_cpu(found), found.file.stem)


def _on_cpu(found: Kept) -> bool:
    return found.environment.get("device", "cpu").startswith("cpu")


def default_run(e: Record, found: Sequence[Kept]) -> Kept | None:
    """The kept result of the experiment's default run, if there is one."""
    return next((each for each in found if _distance(e, each)[:2] == (False, False)), None)


def special(e: Record, data: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that make a run another one than the default run on this data set.

    --full counts on the default data set only: others are there for --full.
    """
    usual = ("dataset",) if data == default_data(e) else ("dataset", "full")
    return {k: v for k, v in options.items() if k not in usual}


def default_data(e: Record) -> str:
    """The data set of a run without options."""
    fields = getattr(e.config, "__dataclass_fields__", {}) if isinstance(e, Experiment) else {}
    return (fields["dataset"].default or "digits") if "dataset" in fields else "–"


def device(environment: Mapping[str, Any]) -> str:
    """The processor and its cores, or the name of an accelerator."""
    platform, _, kind = environment["device"].partition(" ")
    if platform == "cpu":
        return f"{environment['processor']}, {environment.get('cores')} cores"
    return kind.removesuffix(" × 1")


def minutes(found: Kept | None) -> str:
    """The duration of a run, for a cell."""
    return "–" if found is None or found.minutes is None else f"{found.minutes:.1f}"
