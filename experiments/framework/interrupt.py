"""Handling of SIGINT (Ctrl-C) and SIGTERM: the first ends a run, the second kills the process.

An exception raised inside JAX can be lost in a callback, crash a module that is being imported, or
leave work running at exit. So the signal handler raises nothing. While modules are imported, a
signal ends the process at once. Later, the next `check`, after the current compiled call, raises
`Interrupted`.

Python runs signal handlers between two bytecodes of the main thread, so none runs while XLA
compiles. But Python writes the number of each signal to a pipe at once (`signal.set_wakeup_fd`). A
thread reads the pipe, prints the notice at the first signal, and ends the process at the second.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)
NOTICE = "interrupted; stops after the running computation; Ctrl-C again ends at once"
_first: int | None = None  # the first signal since `listening` began


class Interrupted(KeyboardInterrupt):
    """A signal has arrived. `exit_code` is 130 for SIGINT and 143 for SIGTERM."""

    def __init__(self, signum: int):
        super().__init__()
        self.exit_code = 128 + signum


def end_at_once() -> None:
    """Let the operating system end the process at a signal."""
    for signum in SIGNALS:
        signal.signal(signum, signal.SIG_DFL)


@contextmanager
def listening(name: str) -> Iterator[None]:
    """Record signals inside this context, so that the next `check` raises `Interrupted`."""
    global _first
    _first = None
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can handle signals
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    thread = threading.Thread(target=_read, args=(reader, name), daemon=True)
    thread.start()
    before = {signum: signal.signal(signum, lambda *_: None) for signum in SIGNALS}
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        for signum, handler in before.items():
            signal.signal(signum, handler)
        os.close(writer)  # the thread reads the end of the pipe
        thread.join()
        os.close(reader)
        _first = None  # the signal was for this run


def check() -> None:
    """Raise `Interrupted` if a signal has arrived."""
    if _first is not None:
        raise Interrupted(_first)


def exit_code() -> int | None:
    """130 or 143 if a signal has arrived, else None."""
    return None if _first is None else 128 + _first


def _read(reader: int, name: str) -> None:
    global _first
    while number := os.read(reader, 1):
        if (signum := number[0]) not in SIGNALS:
            continue
        if _first is not None:
            os._exit(128 + signum)
        _first = signum
        clear = "\r\x1b[K" if os.isatty(2) else ""  # a progress bar may be in this line
        os.write(2, f"{clear}{name}: {NOTICE}\n".encode())
