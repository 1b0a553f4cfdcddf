"""--continue RUN: finished parts of an earlier run, for a run with the same options and data."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.framework import finite_json
from experiments.framework.options import PLACES, Output


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
        found = [*self.receipt.get("source", "").split(), own]
        return " ".join(dict.fromkeys(found)) if self.receipt.get("source") and own else ""


def earlier(name: str, folder: Path) -> Earlier:
    """Read a run folder.

    Raises: ValueError if it is not the folder of a run of experiment `name`.
    """
    try:
        read = {
            key: finite_json.loads((folder / f"{key}.json").read_text(encoding="utf-8"))
            for key in ("config", "env", "receipt")
        }
        parts = _parts(folder / "parts.jsonl")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "a file is damaged"
        runs = sorted((folder / name).glob("*/receipt.json"))
        if runs:
            why = f"write --continue {runs[-1].parent}"
        raise ValueError(f"--continue {folder}: is no folder of a run: {why}") from None
    if (found := read["receipt"].get("experiment")) != name:
        raise ValueError(f"--continue {folder}: is a run of {found}, not of {name}")
    return Earlier(folder, read["config"], read["env"], read["receipt"], parts)


def _parts(path: Path) -> dict[str, dict[str, Any]]:
    """The finished parts. A torn line, which a killed run may leave at the end, is ignored."""
    parts = {}
    for line in path.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            each = finite_json.loads(line)
            parts[each["part"]] = each
    return parts


def completed(config: Any, old: Mapping[str, Any]) -> Any:
    """`config` with the earlier run's value for every option that is None."""
    known = [f.name for f in dataclasses.fields(config) if f.name not in PLACES]
    missing = [k for k in known if getattr(config, k) is None and old.get(k) is not None]
    value = lambda v: tuple(v) if isinstance(v, list) else v
    return dataclasses.replace(config, **{k: value(old[k]) for k in missing})


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
