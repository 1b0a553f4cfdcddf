"""A lock on a folder, between processes of one machine. A killed process loses its lock."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None


@contextmanager
def locked(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the lock of an existing folder; False if it cannot be locked, as on Windows.

    Options:
        wait: whether to wait until no other process holds the lock.
    Raises: BlockingIOError if another process holds it, unless `wait`.
    """
    if fcntl is None:
        yield False
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield _lock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, how: int) -> bool:
    """Lock a folder; False if its file system has no such locks, as some network file systems."""
    assert fcntl is not None
    try:
        fcntl.flock(descriptor, how)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True
