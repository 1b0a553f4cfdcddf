"""Ctrl-C: one ends the run between two compiled calls and keeps its results, two end it at once.

A KeyboardInterrupt raised inside JAX can be lost in a callback, crash a module that is being
imported, or leave work running at exit. So Python raises none: while modules are imported the
operating system ends the process, and later the signal is only noted, for `check` to raise.
"""

import os
import signal

_asked = False


def end_at_once() -> None:
    """From now on, Ctrl-C ends the process without running any of its code."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def listen() -> None:
    """From now on, Ctrl-C is noted."""
    signal.signal(signal.SIGINT, _note)


def check() -> None:
    """KeyboardInterrupt if Ctrl-C was pressed."""
    if _asked:
        raise KeyboardInterrupt


def _note(signum, frame):
    global _asked
    if _asked:
        os._exit(130)
    _asked = True
