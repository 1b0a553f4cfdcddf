"""Ctrl-C once: the run ends between two compiled calls, and keeps what it has. Twice: at once.

A KeyboardInterrupt raised inside JAX can be lost in a callback or leave work running at exit, so
the signal is only noted, and `check` raises it where the program can stand it.
"""

import os
import signal

_asked = False


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
