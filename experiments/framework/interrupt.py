"""Ctrl-C: the first ends the run after a compiled call and keeps its results; the second kills it.

A KeyboardInterrupt raised inside JAX can be lost in a callback, crash a module that is being
imported, or leave work running at exit. So the signal handler raises nothing. While modules
are imported, the operating system ends the process. Later the signal is recorded, and `check`
raises KeyboardInterrupt.
"""

import os
import signal

_interrupted = False


def end_at_once() -> None:
    """Let Ctrl-C end the process without running any of its code."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def listen() -> None:
    """Record Ctrl-C, so that `check` raises."""
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
