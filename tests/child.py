"""Run a Python program in a child process that has a time limit and accepts Ctrl-C."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Any


@contextmanager
def started(*words: str, seconds: float = 120, **options: Any) -> Iterator[subprocess.Popen]:
    """Start `python *words` with pipes for its output.

    The process is killed after `seconds`, and when the `with` block ends.

    If the parent ignores SIGINT, as after `nohup ... &`, a child ignores it too. If the parent has
    a handler, a child does not ignore SIGINT. So the parent has a handler while the child starts.
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen([sys.executable, *words], **pipes, **options)
    finally:
        signal.signal(signal.SIGINT, before)
    alarm = Timer(seconds, process.kill)
    alarm.start()
    with process:
        try:
            yield process
        finally:
            alarm.cancel()
            process.kill()
