"""Python programs in a child process, which Ctrl-C interrupts and a time limit kills."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Any


@contextmanager
def started(*words: str, seconds: float = 120, **options: Any) -> Iterator[subprocess.Popen]:
    """`python *words`, with pipes for its output; killed after `seconds`, and when the block ends.

    A child inherits an ignored SIGINT, as after `nohup ... &`, but not a handler. So this process
    has a handler while the child starts.
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
