"""A run and its receipt: the record of its configuration, environment and results.

runs/NAME/TIME/config.json     the configuration, complete
               env.json        commit, versions, device, precision, flags
               metrics.jsonl   one line per measurement, written immediately
               results.*       results; also figures and report.html
"""

import dataclasses
import datetime
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fcnn.bench import machine_info
from fcnn.cli.output import write_whole


class Run:
    """The folder of one run.

    metrics.jsonl is written line by line. Every other file is written completely or not at all.

    A file that cannot be written, for example on a full disk, does not end the run. `failed` is the
    error message of the first such file.

    Raises: OSError if the folder cannot be made.
    """

    def __init__(self, name: str, output_dir: Path, config: Any):
        started = datetime.datetime.now().astimezone()
        stem = output_dir / name / started.strftime("%Y-%m-%d_%H-%M-%S")
        self.folder = _new_folder(stem)
        self.started = started
        self.config = dataclasses.asdict(config)
        self.environment = environment(started)
        self.failed = ""
        self._write("config.json", _json(self.config))
        self._write("env.json", _json(self.environment))
        self._metrics = (self.folder / "metrics.jsonl").open("w", encoding="utf-8", buffering=1)

    def metric(self, **values: Any) -> None:
        line = json.dumps(values, allow_nan=False) + "\n"
        self._attempt("metrics.jsonl", lambda: self._metrics.write(line))

    def save(self, name: str, content: str | bytes) -> None:
        self._attempt(name, lambda: self._write(name, content))

    def _attempt(self, name: str, act: Callable[[], Any]) -> None:
        try:
            act()
        except OSError as error:
            self.failed = self.failed or f"{self.folder / name}: {error.strerror}"

    def _write(self, name: str, content: str | bytes) -> None:
        write_whole(self.folder / name, content)

    def save_json(self, name: str, value: Any) -> None:
        self.save(name, _json(value))

    def close(self) -> None:
        self._attempt("metrics.jsonl", self._metrics.close)


def environment(now: datetime.datetime) -> dict[str, Any]:
    """Everything besides the configuration that results depend on."""
    return {
        "time": now.isoformat(timespec="seconds"),
        "command": "python -m experiments " + " ".join(sys.argv[1:]),
        **machine_info(),
    }


def _new_folder(stem: Path) -> Path:
    """Make folder `stem`, or stem-2, stem-3, ... if other runs started in the same second."""
    for path in (stem, *(stem.with_name(f"{stem.name}-{i}") for i in range(2, 100))):
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(stem)


def _json(value):
    return json.dumps(value, indent=2, allow_nan=False, default=str) + "\n"
