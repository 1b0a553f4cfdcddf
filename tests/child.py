"""Programs in a process of their own that Ctrl-C stops, and for which no test waits in vain."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Any


@contextmanager
def started(*words: str, seconds: float = 120, **how: Any) -> Iterator[subprocess.Popen]:
    """`python *words`, with pipes for its output; killed after `seconds`, and when the block ends.

    A child inherits that SIGINT is ignored, as after `nohup ... &`, but no handler: so this process
    has one while the child starts.
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen([sys.executable, *words], **pipes, **how)
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
