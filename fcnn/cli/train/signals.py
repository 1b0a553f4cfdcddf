"""Ctrl-C and SIGTERM during `fcnn train`: the running steps are finished and saved."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fcnn.training.interrupt import SIGNALS, notice

STOPPING = "fcnn train: interrupted: saves after the running steps; a second signal ends it at once"


@dataclass
class Signals:
    """The signal that arrived, or 0, and whether a state of training is there to be saved."""

    received: int = 0
    training: bool = False

    @property
    def exit_code(self) -> int:
        return 128 + self.received

    @contextmanager
    def while_training(self) -> Iterator[None]:
        self.training = True
        try:
            yield
        finally:
            self.training = False


@contextmanager
def signals() -> Iterator[Signals]:
    """Record the first signal. While nothing is trained, it ends the process."""
    arrived = Signals()

    def handle(number, frame):
        arrived.received = arrived.received or number
        if not arrived.training:
            raise KeyboardInterrupt  # which user's code that is being imported does not catch
        notice(f"\n{STOPPING}")

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield arrived
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
