"""Small file systems of memory that can be full or read-only, where this user may mount them."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Change = Callable[[str], None]


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Change | None]:
    """A file system in a new folder, and the function that mounts it again with other options.

    None if this user cannot mount one.
    """
    folder.mkdir()
    if not _mount(f"-o{options}", "-ttmpfs", "none", f"{folder}"):
        yield None
        return
    try:
        yield lambda options: _required(f"-oremount,{options}", f"{folder}")
    finally:
        subprocess.run(["umount", f"{folder}"], capture_output=True)


def may_write_anywhere() -> bool:
    """Whether permissions of files do not apply to this user."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _mount(*words: str) -> bool:
    try:
        return subprocess.run(["mount", *words], capture_output=True).returncode == 0
    except OSError:
        return False


def _required(*words: str) -> None:
    if not _mount(*words):
        raise RuntimeError(f"mount {' '.join(words)} failed")
