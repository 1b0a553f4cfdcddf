"""Ctrl-C and SIGTERM during training: the first ends it after the running steps, the second raises.

An exception raised inside JAX can be lost, or leave work running. So the first signal is recorded,
one line is printed at once, and training returns what it has.
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Thread, current_thread, main_thread
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
POLL = 0.05  # seconds between two looks at the signals during a compilation


@dataclass
class Received:
    """The first signal that arrived, or 0."""

    signal: int = 0


def notice(line: str) -> None:
    """Print a line on standard error; a failure to do so loses nothing."""
    with suppress(OSError, ValueError, AttributeError):  # closed, full or absent
        print(line, file=sys.stderr, flush=True)


class Interrupted(Exception):
    """A signal arrived during a compilation."""


@contextmanager
def listening(name: str) -> Iterator[Received]:
    """Record signals until the block ends, if this is the main thread.

    A program's own handler of a signal is called too; what it raises is dropped.
    """
    received = Received()
    before: dict[int, Any] = {}

    def handle(number: int, frame: Any) -> None:
        if received.signal:
            raise SystemExit(143) if number == signal.SIGTERM else KeyboardInterrupt
        received.signal = number
        own = before[number]
        if callable(own) and own is not signal.default_int_handler:
            with suppress(BaseException):  # training ends and keeps its state, whatever it raises
                own(number, frame)
        else:
            what = "stops after the running steps; a second Ctrl-C raises KeyboardInterrupt"
            notice(f"\n{name}: interrupted: {what}")

    if current_thread() is main_thread():
        before = {number: signal.getsignal(number) for number in SIGNALS}
        for number in SIGNALS:
            if before[number] != signal.SIG_IGN:
                signal.signal(number, handle)
    try:
        yield received
    finally:
        for number, handler in before.items():
            if handler is not None:  # None: set by a program in C
                signal.signal(number, handler)


def compile_while_listening(lowered: Any, received: Received) -> Any:
    """Compile in a thread, so that the main thread handles signals at once.

    Raises: Interrupted if a signal arrives. The compilation goes on to its end, and the process
            cannot exit before: XLA aborts a process that exits while it compiles.
    """
    made: list[Any] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            made.append(lowered.compile())
        except BaseException as error:
            errors.append(error)

    if current_thread() is not main_thread():
        return lowered.compile()
    thread = Thread(target=work)
    thread.start()
    while thread.is_alive():
        thread.join(POLL)
        if received.signal:
            raise Interrupted
    if errors:
        raise errors[0]
    return made[0]
