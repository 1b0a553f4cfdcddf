"""A command in a child process, whose lines are read as they are printed."""

import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic

SECONDS = 300  # after which a child is killed, and the experiment fails


class Child:
    """A running command.

    Attributes:
        lines: the lines of its standard output so far.
        times: when each of them was read, in seconds.
        errors: after `end`, lines of its standard error, with paths relative to the folder.
    """

    def __init__(self, words: Sequence[str], folder: Path, environment: Mapping[str, str]):
        self.lines: list[str] = []
        self.times: list[float] = []
        self._errors, self._folder = TemporaryFile(), folder
        self.process = subprocess.Popen(
            words,
            cwd=folder,
            env=dict(environment),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,  # Ctrl-C is for the experiment alone
        )
        self._late = False
        self._alarm = threading.Timer(SECONDS, self._too_late)
        self._alarm.daemon = True
        self._alarm.start()

    def until(self, wanted: Callable[[str], bool]) -> bool:
        """Read lines up to the first one that is wanted; False if none was."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.times.append(monotonic())
            self.lines.append(line.rstrip("\n"))
            if wanted(self.lines[-1]):
                return True
        return False

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)

    def end(self) -> int:
        """Read all other lines and wait for the end; the exit code.

        Raises: TimeoutError after `SECONDS`.
        """
        self.until(lambda line: False)
        code = self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._alarm.cancel()
        self._errors.seek(0)
        text = self._errors.read().decode().replace(f"{self._folder}/", "")
        self.errors = [line for line in text.splitlines() if line]
        self._errors.close()
        if self._late:
            raise TimeoutError(
                f"a command did not end in {SECONDS} s; its lines: {self.lines[-3:]}"
            )
        return code

    def _too_late(self) -> None:
        self._late = True
        self.kill()
