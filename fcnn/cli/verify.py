"""fcnn verify: whether the checkpoints of a run are what was saved."""

import sys
from argparse import Namespace
from pathlib import Path

from fcnn.cli.output import Misuse
from fcnn.training import Checkpoints
from fcnn.training.checkpoint import Damaged

COMMAND = "fcnn verify"


def add_to(tools) -> None:
    tool = tools.add_parser(
        "verify",
        help="verify the checkpoints of a run",
        description="Compare every file and array of the checkpoints with its saved sha256. "
        "Nothing is changed. Exit code: 0 if all are intact, 1 if one is damaged, 2 if there is "
        "none.",
    )
    tool.add_argument("folder", type=Path, metavar="RUN", help="folder that fcnn train wrote")
    tool.set_defaults(run=run)


def run(chosen: Namespace) -> int:
    inner = chosen.folder / "checkpoints"
    checkpoints = Checkpoints(inner if inner.is_dir() else chosen.folder)
    try:
        if not checkpoints.steps():
            raise Misuse(f"there are no checkpoints in {checkpoints.folder}")
        return max(_verify(checkpoints, step) for step in checkpoints.steps())
    except (ValueError, ImportError) as misuse:
        print(f"{COMMAND}: {misuse}", file=sys.stderr)
        return 2


def _verify(checkpoints: Checkpoints, step: int) -> int:
    """Verify one checkpoint, and print the result; 1 if it is damaged."""
    try:
        found = checkpoints.read_receipt(step)
        checkpoints.arrays(found)
    except Damaged as damage:
        print(f"{checkpoints.path(step)}: damaged: {damage}", flush=True)
        return 1
    size = sum(size for size, _ in found.files.values())
    print(
        f"{checkpoints.path(step)}: intact, {len(found.arrays)} arrays, {size:,} bytes", flush=True
    )
    return 0
