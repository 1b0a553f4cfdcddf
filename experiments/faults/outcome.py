"""Bits of a finished run, compared with the run without faults."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fcnn.training import Checkpoints
from fcnn.training.checkpoint import Damaged

COMPARED = ("step", "params/", "state/", "opt_state/", "key")


def final(run: Path) -> dict[str, Any]:
    """Sums of the arrays of the last checkpoint, after they were read, and the metrics.

    Lines of metrics are without their seconds.
    """
    checkpoints = Checkpoints(run / "checkpoints")
    found = checkpoints.read_receipt(checkpoints.steps()[-1])
    checkpoints.arrays(found)
    sums = {path: a for path, a in found.arrays.items() if path.startswith(COMPARED)}
    text = (run / "metrics.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    return {"arrays": sums, "metrics": [{**row, "seconds": None} for row in rows]}


def differences(run: Path, reference: Mapping[str, Any]) -> list[str]:
    """What of a run that has ended is not equal to the reference, bit for bit."""
    try:
        found = final(run)
    except Damaged as damage:
        return [f"the last checkpoint is damaged: {damage}"]
    except (OSError, ValueError, IndexError) as error:
        return [f"{type(error).__name__}: {error}"]
    one, other = found["arrays"], reference["arrays"]
    paths = [path for path in {**one, **other} if one.get(path) != other.get(path)]
    return paths + ["metrics.jsonl"] * (found["metrics"] != reference["metrics"])


def halves(run: Path) -> list[str]:
    """One line for each checkpoint of a run that is not whole."""
    checkpoints, lines = Checkpoints(run / "checkpoints"), []
    for step in checkpoints.steps():
        try:
            checkpoints.read_receipt(step)
        except Damaged as damage:
            lines.append(f"checkpoint {step}: {damage}")
    return lines
