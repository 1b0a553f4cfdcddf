"""One line on a terminal that is updated while a computation runs, and erased at its end."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic

INTERVAL = 0.2  # seconds between two updates
ERASED = "\r\x1b[K"  # ANSI: back to the first column, erase to the end of the line


@contextmanager
def status_line(text: Callable[[], str], after: float = 0.0) -> Iterator[None]:
    """Show text() on standard error until the block ends, from `after` seconds on.

    Nothing is shown if standard error is not a terminal. A thread updates the line, also during a
    long compilation.
    """
    stream = sys.stderr
    if stream is None or not stream.isatty():
        yield
        return
    ended, shown = Event(), [""]

    def update() -> None:
        pause = after
        while not ended.wait(pause):
            pause = INTERVAL
            line = text()[: _columns(stream) - 1]  # a longer line would wrap, and stay
            if line != shown[0]:
                stream.write(ERASED + line)
                stream.flush()
                shown[0] = line

    thread = Thread(target=update, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        if shown[0]:
            stream.write(ERASED)
            stream.flush()


def since(started: float) -> str:
    """Minutes and seconds since `started`, a time of `monotonic`."""
    minutes, seconds = divmod(int(monotonic() - started), 60)
    return f"{minutes}:{seconds:02}"


def _columns(stream) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
