"""Where a kill struck: decided by what is on the disk, and not by what was intended.

    saving             .saving-N is there
    deleting           .deleting-N is there
    first compilation  no checkpoint is there, and "compiling" is the last line that was printed
    epoch's end        otherwise, if the position is the last step of an epoch
    mid-epoch          otherwise

The position is the last step that is known to be done: of the newest checkpoint, or of the last
line "step N of M" or "saving step N" that the killed process printed. Steps after it, and the
compilation of a process that continues, count as this position, from which nothing of them can be
seen.
"""

import re
from collections.abc import Collection, Sequence

SAVING, DELETING, FIRST = "saving", "deleting", "first compilation"
MIDDLE, END = "mid-epoch", "epoch's end"
EARLIER = "before compiling"
CLASSES = (FIRST, SAVING, DELETING, MIDDLE, END)


def struck(lines: Sequence[str], names: Collection[str], steps: int) -> str:
    """Where a kill struck.

    Options:
        lines: that the killed process printed.
        names: of what is in the folder of checkpoints.
        steps: of an epoch.
    """
    if any(name.startswith(".saving-") for name in names):
        return SAVING
    if any(name.startswith(".deleting-") for name in names):
        return DELETING
    if not saved(names) and not printed(lines):
        return FIRST if "compiling" in lines else EARLIER
    return MIDDLE if max(saved(names), printed(lines)) % steps else END


def reached(lines: Sequence[str], names: Collection[str]) -> int:
    """The last step that was printed or saved, also if its saving was not finished."""
    return max(saved(names), printed(lines))


def resumed(lines: Sequence[str]) -> int | None:
    """The step from which a process continued, by its own lines; None if it was not yet known."""
    for line in lines:
        if found := re.match(r"continues from step (\d+)", line):
            return int(found[1])
    return 0 if "compiling" in lines else None


def saved(names: Collection[str]) -> int:
    """The step of the newest checkpoint; 0 if there is none."""
    return max((int(name) for name in names if name.isdigit()), default=0)


def printed(lines: Sequence[str]) -> int:
    """The last step of lines "step N of M" and "saving step N"."""
    steps = (re.match(r"(?:saving )?step (\d+)(?: of |$)", line) for line in lines)
    return max((int(found[1]) for found in steps if found), default=0)


def listing(folder) -> list[str]:
    """The names in a folder of checkpoints, which may not exist."""
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
