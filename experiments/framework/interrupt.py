"""Handling of Ctrl-C: the first ends a run and keeps its results, the second kills the process.

A KeyboardInterrupt raised inside JAX can be lost in a callback, crash a module that is being
imported, or leave work running at exit. So the signal handler raises nothing. While modules
are imported, Ctrl-C ends the process at once. Later, the handler records the signal. The next
`check`, after the current compiled call, raises KeyboardInterrupt.
"""

import os
import signal

_interrupted = False


def end_at_once() -> None:
    """Let the operating system end the process on Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def listen() -> None:
    """Record Ctrl-C from now on, so that the next `check` raises KeyboardInterrupt."""
    signal.signal(signal.SIGINT, _record)


def check() -> None:
    """Raise KeyboardInterrupt if Ctrl-C was pressed."""
    if _interrupted:
        raise KeyboardInterrupt


def _record(signum, frame):
    global _interrupted
    if _interrupted:
        os._exit(130)
    _interrupted = True
