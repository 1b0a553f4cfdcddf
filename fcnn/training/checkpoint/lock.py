"""A folder that one process uses at a time. The system releases the lock of a killed process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: nothing keeps two processes apart
    fcntl = None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of an existing folder.

    Raises: ValueError if another process holds it.
    """
    if fcntl is None:
        yield
        return
    file = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            what = f"{folder} is in use by another process"
            raise ValueError(f"{what}; wait for its end, or name another folder") from None
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(file)
