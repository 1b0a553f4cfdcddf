"""Faults at which a run must end by itself: a full disk, a read-only folder, NaN in the data."""

import re
import signal
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from experiments.faults.disk import may_write_anywhere, mounted
from experiments.faults.found import Found
from experiments.faults.stops import stopped_at
from experiments.faults.struck import listing, reached
from experiments.faults.task import NAN, Task

MEGABYTES = 45  # of the full disk: two checkpoints of 17 MB, and not a third
LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))"


def full_disk(task: Task, reference: Mapping[str, Any]) -> dict[str, Any]:
    """A checkpoint that does not fit ends the run, which continues once there is space."""
    found = Found("full disk", f"a file system of {MEGABYTES} MB")
    disk = task.folder / "full"
    with mounted(disk, f"size={MEGABYTES}m") as change:
        run = disk / "run"
        before = ""
        if change is None:
            found.how, before = "files are limited to 1 MiB, as mounting is not allowed", LIMITED
            stopped_at(task, run, 8, signal.SIGTERM).end()
        child = task.start(run, before=before)
        found.expect_end(child, 2, "No space left on device", "File too large")
        names = listing(run / "checkpoints")
        found.at = reached(child.lines, names)
        found.expect_whole(run)
        if change is not None:
            change("size=1g")
        found.continue_to_end(task, run, reference)
    return found.json()


def read_only_folder(task: Task, reference: Mapping[str, Any]) -> dict[str, Any]:
    """A run in a folder that cannot be written is refused, and loses nothing."""
    found = Found("read-only folder", "the file system is mounted read-only")
    disk = task.folder / "read-only"
    with mounted(disk, "size=1g") as change:
        if change is None and may_write_anywhere():
            return Found("read-only folder", "not tested: this user may write anywhere").json()
        run = disk / "run"
        stopped_at(task, run, 20, signal.SIGTERM).end()
        found.at = reached([], listing(run / "checkpoints"))
        if change is None:
            found.how = "the folders have no permission to write"
            with _without_permission(run):
                child = task.start(run)
                found.expect_end(child, 2, "Permission denied")
        else:
            change("ro")
            child = task.start(run)
            found.expect_end(child, 2, "Read-only file system")
            change("rw")
        found.expect_whole(run)
        found.continue_to_end(task, run, reference)
    return found.json()


def nan_in_the_data(task: Task, reference: Mapping[str, Any]) -> dict[str, Any]:
    """The run stops, the step can be replayed, and with an option it is left out."""
    found = Found("NaN in the data", f"x[{NAN[0]}, {NAN[1]}] of the training examples")
    run = task.folder / "nan"
    child = task.start(run, data="nan.npz")
    found.expect_end(child, 1, f"x[{NAN[0]}, {NAN[1]}] is nan in step ")
    names = listing(run / "checkpoints")
    found.at = reached(child.lines, names)
    found.expect_whole(run)
    step = re.search(r"--replay (\d+)", " ".join(child.errors))
    last = max((int(name) for name in names if name.isdigit()), default=0)
    if step is None or f"the last checkpoint is {run.name}/checkpoints/{last};" not in (
        " ".join(child.errors)
    ):
        found.wrong.append("the last checkpoint and the step to replay are not named")
    else:
        replayed = task.start(run, data="nan.npz", options=["--replay", step[1]])
        if (code := replayed.end()) != 1 or "entry x of the batch" not in replayed.lines[-1]:
            found.wrong.append(f"--replay: code {code}, {replayed.lines[-1:]}")
        found.how += f"; --replay {step[1]} names its batch"
    skipping = task.folder / "nan-skipped"
    skipped = task.start(skipping, data="nan.npz", options=["--not-finite", "skip"])
    if code := skipped.end():
        found.wrong.append(f"--not-finite skip: code {code}, {skipped.errors[-1:]}")
    found.expect_whole(skipping)
    return found.json()


@contextmanager
def _without_permission(folder: Path) -> Iterator[None]:
    """Take the permission to write from a folder and all folders in it."""
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    modes = [path.stat().st_mode for path in folders]
    for path, mode in zip(folders, modes, strict=True):
        path.chmod(mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    try:
        yield
    finally:
        for path, mode in zip(folders, modes, strict=True):
            path.chmod(mode)
