"""--continue RUN: finished parts of an earlier run, for a run with the same options and data."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.framework import finite_json
from experiments.framework.command_line import parsed, words
from experiments.framework.finite_json import Damaged
from experiments.framework.options import PLACES, Output

RECEIPT = {
    "experiment": str,
    "claims": list,
    "data": str,
    "source": str | None,
    "options": dict | None,
    "continues": dict | None,
}
PART = {"part": str, "seconds": int | float, "run": str | None}
Line = Mapping[str, Any]  # of parts.jsonl


@dataclasses.dataclass(frozen=True)
class Earlier:
    """What an earlier run left in its folder."""

    folder: Path
    config: dict[str, Any]
    environment: dict[str, Any]
    receipt: dict[str, Any]
    parts: dict[str, dict[str, Any]]  # name → line of parts.jsonl

    def receipt_for(self) -> dict[str, Any]:
        """The entry of a new run's receipt that names this run."""
        kept = {"run": str(self.folder), "environment": self.environment}
        return {**kept, "continues": self.receipt.get("continues")}

    def source_with(self, own: str) -> str:
        """All hashes of source that measured parts of a new run; empty if one is not known."""
        found = [*(self.receipt.get("source") or "").split(), own]
        return " ".join(dict.fromkeys(found)) if self.receipt.get("source") and own else ""

    def options(self, kind: type[Output]) -> list[str]:
        """The words of a command line with the options of this run.

        Raises: ValueError if config.json has another value than such an option can have.
        """
        names = [f.name for f in dataclasses.fields(kind) if f.name != "continue_run"]
        found = words({name: self.config.get(name) for name in names})
        try:
            parsed(kind, self.receipt["experiment"], found)
        except ValueError as error:
            raise ValueError(
                f"--continue: {Damaged(self.folder / 'config.json', f'{error}')}"
            ) from None
        return found

    def environments(self, lines: list[Line]) -> list[dict[str, Any]]:
        """The environments of this run and of those that it continues, if they measured a line.

        That of the first run is first. They have no command, which names folders of the machine.
        """
        folders, found, entry = {line.get("run") for line in lines}, [], self.receipt_for()
        while entry:
            if entry["run"] in folders:
                found.append({k: v for k, v in entry["environment"].items() if k != "command"})
            entry = entry["continues"]
        return found[::-1]


def earlier(name: str, folder: Path) -> Earlier:
    """Read a run folder.

    Raises: ValueError if it is not the folder of a run of experiment `name`, or a file is damaged.
    """
    try:
        receipt = finite_json.read(folder / "receipt.json", RECEIPT)
        if (found := receipt["experiment"]) != name:
            raise ValueError(f"is a run of {found}, not of {name}")
        _require_chain(folder / "receipt.json", receipt)
        config = finite_json.read(folder / "config.json", {})
        environment = finite_json.read(folder / "env.json", {})
        return Earlier(folder, config, environment, receipt, _parts(folder / "parts.jsonl"))
    except OSError as error:
        runs = sorted((folder / name).glob("*/receipt.json"))
        better = runs[-1].parent if runs else f"{Output.output_dir}/{name}/TIME"
        why = f"is no folder of a run: {error.strerror}; write --continue {better}"
        raise ValueError(f"--continue {folder}: {why}") from None
    except Damaged as error:
        raise ValueError(f"--continue: {error}; run {name} without --continue") from None
    except ValueError as error:
        raise ValueError(f"--continue {folder}: {error}") from None


def _require_chain(path: Path, receipt: dict[str, Any]) -> None:
    """Raises: Damaged if an entry of the claims, or of the runs that were continued, is wrong."""
    for claim in receipt["claims"]:
        finite_json.require(path, claim, {})
    while receipt := receipt.get("continues") or {}:
        finite_json.require(
            path, receipt, {"run": str, "environment": dict, "continues": dict | None}
        )


def _parts(path: Path) -> dict[str, dict[str, Any]]:
    """The finished parts. A torn line, which a killed run may leave at the end, is ignored."""
    parts = {}
    for line in path.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            each = finite_json.parsed(path, line, PART)
            if "result" not in each:
                raise Damaged(path, f"part {each['part']!r} has no result")
            parts[each["part"]] = each
    return parts


def require_same(run: Earlier, config: Output, data: str) -> None:
    """Raises: ValueError that lists all differences of options and data from the earlier run."""
    new = finite_json.loads(finite_json.dumps(dataclasses.asdict(config), default=str))
    changed = [
        f"--{key.replace('_', '-')} {_shown(run.config.get(key))} → {_shown(value)}"
        for key, value in new.items()
        if key not in PLACES and run.config.get(key) != value
    ]
    if run.receipt.get("data") != data:
        changed.append(f"the data set {run.receipt.get('data')} → {data}")
    if changed:
        raise ValueError(f"--continue {run.folder}: differs from this run: {'; '.join(changed)}")


def _shown(value):
    return " ".join(map(str, value)) if isinstance(value, list) else value
