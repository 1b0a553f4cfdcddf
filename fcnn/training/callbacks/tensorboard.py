"""Results of training as scalars for TensorBoard.

An event file is a sequence of records: the length of the data, its checksum, the data, and their
checksum. The events and the checksum are those of tensorboardX. Its SummaryWriter writes in a
thread, up to two minutes later, where an error is lost. Here the scalars of a chunk are in the file
when the chunk has ended.
"""

import struct
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from fcnn.training.callbacks.callback import Callback, Progress

VERSION = "brain.Event:2"  # of the format


def tensorboard(folder: str | Path) -> Callback:
    """Callback that writes the results of each chunk of steps as scalars for TensorBoard.

    The names are training/loss, validation/loss and so on; a metric that is an array is left out. A
    continued run writes a new file. It starts with an event that removes the steps which the run
    repeats, so that TensorBoard shows each step once. So a new run removes the results of another
    run in the same folder: give each run its own folder.

    Options:
        folder: of the event files; it is made if it does not exist.
    Raises: ImportError if tensorboardX is not installed; from `fit`, before training: OSError if
            the folder cannot be written.

    >>> callbacks = [fcnn.training.tensorboard("runs/mnist/tensorboard")]
    """
    _require_tensorboardx()
    folder = Path(folder)
    files: list[_EventFile] = []  # of this process; the last one is written

    def init(train_state):
        files.append(_EventFile(folder, int(train_state.step) + 1))
        return ()

    def after(train_state, own, progress):
        if not files or progress.step < files[-1].next:  # another `fit` goes on from its state
            files.append(_EventFile(folder, progress.step))
        files[-1].add(progress)
        return own

    return Callback("tensorboard", init, after)


class _EventFile:
    """An event file with results of the step `first` and later ones."""

    def __init__(self, folder: Path, first: int):
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"events.out.tfevents.{time.time():.6f}"  # names sort by time
        self.next = first
        log = _proto("event").SessionLog
        start = log(status=log.START)  # TensorBoard removes `first` and later steps
        self._append(_event(file_version=VERSION), _event(step=first, session_log=start))

    def add(self, progress: Progress) -> None:
        """Append the numbers of a chunk."""
        summary = _proto("summary").Summary
        scalars = [
            summary.Value(tag=f"{part}/{name}", simple_value=value)
            for part in ("training", "validation")
            for name, value in getattr(progress, part).items()
            if isinstance(value, int | float)
        ]
        self._append(_event(step=progress.step, summary=summary(value=scalars)))
        self.next = progress.step + 1

    def _append(self, *events: Any) -> None:
        with self.path.open("ab") as file:
            file.write(b"".join(_record(event.SerializeToString()) for event in events))


def _event(**content):
    return _proto("event").Event(wall_time=time.time(), **content)


def _proto(name: str) -> ModuleType:
    return import_module(f"tensorboardX.proto.{name}_pb2")


def _record(data):
    from tensorboardX.record_writer import masked_crc32c

    length = struct.pack("<Q", len(data))
    sums = (struct.pack("<I", masked_crc32c(part)) for part in (length, data))
    return length + next(sums) + data + next(sums)


def _require_tensorboardx():
    if find_spec("tensorboardX") is None:
        raise ImportError("tensorboard needs tensorboardX; write pip install tensorboardX")
