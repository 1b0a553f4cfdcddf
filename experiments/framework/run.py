"""A run and its receipt: the record of its configuration, environment and results.

runs/NAME/TIME/config.json     the configuration, complete
               env.json        commit, versions, device, precision, flags
               receipt.json    the registered claims, data set, source, and the run it continues
               parts.jsonl     one line per finished part, written immediately; --continue reads it
               metrics.jsonl   one line per measurement, written immediately
               results.*       results; also figures and report.html
"""

import dataclasses
import datetime
import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments.framework import finite_json
from fcnn.bench import machine_info
from fcnn.cli.output import write_whole


class Run:
    """The folder of one run.

    *.jsonl are written line by line, and have complete lines only. Every other file is written
    completely or not at all.

    A file that cannot be written, for example on a full disk, does not end the run. `failed` is the
    error message of the first such file, with the number of the others.

    Raises: OSError if the folder cannot be made.
    """

    def __init__(self, name: str, output_dir: Path, config: Any, receipt: Any = None):
        started = datetime.datetime.now().astimezone()
        stem = output_dir / name / started.strftime("%Y-%m-%d_%H-%M-%S")
        self.name, self.folder = name, _new_folder(stem)
        self.started = started
        self.config = dataclasses.asdict(config)
        self.environment, self.receipt = environment(started), receipt or {}
        self.failures: dict[str, str] = {}  # file → error message
        self._write("config.json", _json(self.config))
        self._write("env.json", _json(self.environment))
        self._write("receipt.json", _json(self.receipt))
        self._metrics = Lines(self.folder / "metrics.jsonl")
        self._parts = Lines(self.folder / "parts.jsonl")

    def metric(self, **values: Any) -> None:
        self._attempt("metrics.jsonl", lambda: self._metrics.add(values))

    def part(self, line: dict[str, Any]) -> None:
        self._attempt("parts.jsonl", lambda: self._parts.add(line))

    def save(self, name: str, content: str | bytes) -> bool:
        """Write a file; whether it is written."""
        return self._attempt(name, lambda: self._write(name, content))

    def _attempt(self, name: str, act: Callable[[], Any]) -> bool:
        try:
            act()
        except OSError as error:
            self.failures.setdefault(name, f"{error.strerror}")
            return False
        return True

    @property
    def failed(self) -> str:
        if not self.failures:
            return ""
        (name, why), *others = self.failures.items()
        files = f"{len(others)} other file{'s' if len(others) > 1 else ''}"
        more = f"; {files} could not be written either" if others else ""
        return f"{self.folder / name}: {why}{more}"

    def _write(self, name: str, content: str | bytes) -> None:
        write_whole(self.folder / name, content)

    def save_json(self, name: str, value: Any) -> None:
        self.save(name, _json(value))

    def close(self) -> None:
        for lines in (self._metrics, self._parts):
            os.close(lines.file)


class Lines:
    """A file of JSON lines. A line that cannot be written completely is removed again."""

    def __init__(self, path: Path):
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        self.size = 0

    def add(self, value: Any) -> None:
        rest = line = (finite_json.dumps(value, default=str) + "\n").encode()
        try:
            while rest:
                rest = rest[os.write(self.file, rest) :]
            self.size += len(line)
        except OSError:
            os.ftruncate(self.file, self.size)
            os.lseek(self.file, self.size, os.SEEK_SET)
            raise


def environment(now: datetime.datetime) -> dict[str, Any]:
    """Everything besides the configuration that results depend on."""
    return {
        "time": now.isoformat(timespec="seconds"),
        "command": "python -m experiments " + " ".join(sys.argv[1:]),
        **machine_info(),
    }


def _new_folder(stem: Path) -> Path:
    """Make folder `stem`, or stem-2, stem-3, ... if other runs started in the same second."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    for path in (stem, *(stem.with_name(f"{stem.name}-{i}") for i in range(2, 100))):
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), f"{stem}")


def unwritable(output_dir: Path, error: OSError, which: str = "") -> str:
    """The error message if no folder can be made in --output-dir."""
    what = f"--output-dir {output_dir}{which} cannot be written: {error.strerror}"
    return f"{what}; write --output-dir DIR, with a folder that you can write"


def _json(value):
    return finite_json.dumps(value, indent=2, default=str) + "\n"
