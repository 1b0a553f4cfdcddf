"""A folder that one process uses at a time."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fcnn.data.locked import locked


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the lock of an existing folder, where folders can be locked.

    Raises: ValueError if another process holds it.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(folder, wait=False))
        except BlockingIOError:
            what = f"{folder} is in use by another process"
            raise ValueError(f"{what}; wait for its end, or name another folder") from None
        yield
