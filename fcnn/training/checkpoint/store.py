"""Saving and restoring of states of training, in a folder with one subfolder per step."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fcnn.ops.validation import named
from fcnn.training.checkpoint import receipt
from fcnn.training.checkpoint.arrays import Spec, by_path, digest, spec
from fcnn.training.checkpoint.environment import changes, environment
from fcnn.training.checkpoint.keep import Keep
from fcnn.training.checkpoint.lock import alone_in
from fcnn.training.checkpoint.orbax import as_os_error, read, require_orbax, write
from fcnn.training.checkpoint.receipt import Damaged, Receipt
from fcnn.training.checkpoint.same import require_same

SAVING, DELETING, DAMAGED = ".saving-", ".deleting-", ".damaged"
OWN = ("totals/", "callbacks/")  # arrays that another choice of metrics and callbacks may change


class Checkpoints:
    """Checkpoints of one training run in a folder.

    `fit(..., checkpoints=Checkpoints(folder))` continues from the latest one, and saves one after
    each chunk of steps and when training is interrupted. After a kill at any moment, the same
    program ends with the same bits as if it had never been killed, on the same machine.

    A checkpoint is written under another name, together with a receipt that has the sha256 of every
    array and file, and is then renamed. So it is there completely or not at all. A damaged one is
    reported and renamed to STEP.damaged, and the one before it is used.

    Options:
        folder: of this run alone; it is made if it does not exist.
        keep: which checkpoints are kept; the last two if None.
        config: what results depend on besides the state and the examples, as a flat dict for JSON,
            such as {"learning rate": 1e-3}. A checkpoint of another configuration is rejected.
        report: function that gets one line about what was found, and before a checkpoint is written
            or deleted.
    Raises: from `fit`: ValueError if the configuration, the model or the data differ from those of
            the checkpoint, with all differences, or if another process uses the folder; ImportError
            if Orbax is not installed. A checkpoint that cannot be written ends training.
    Cost:   per checkpoint, a copy of all arrays on the disk, and their sha256.

    >>> checkpoints = fcnn.training.Checkpoints("runs/mnist", keep=fcnn.training.Keep(last=3))
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        keep: Keep | None = None,
        config: Mapping[str, Any] = {},
        report: Callable[[str], None] = lambda line: None,
    ):
        with named("Checkpoints"):
            self.keep = (keep or Keep()).validated()
            try:
                self.config = json.loads(json.dumps(dict(config), allow_nan=False))
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"config must be a dict for JSON, with finite numbers: {error}"
                ) from None
        self.folder, self.report = Path(folder), report

    def __repr__(self) -> str:
        return f"Checkpoints({str(self.folder)!r}, steps {self.steps()})"

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, in ascending order."""
        names = os.listdir(self.folder) if self.folder.is_dir() else []
        numbers = [int(name) for name in names if name.isascii() and name.isdecimal()]
        return sorted(n for n in numbers if f"{n}" in names and self.path(n).is_dir())

    def path(self, step: int) -> Path:
        return self.folder / f"{step}"

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Make the folder, keep other processes out of it, and remove what killed ones left.

        Raises: ValueError if another process uses the folder; ImportError without Orbax.
        """
        require_orbax()
        self.folder.mkdir(parents=True, exist_ok=True)
        with alone_in(self.folder):
            for path in self.folder.iterdir():
                if path.name.startswith((SAVING, DELETING)):
                    _remove(path)
            yield

    def save(
        self, state: Any, *, config: Mapping[str, Any] = {}, validation: Mapping[str, Any] = {}
    ) -> None:
        """Save a state of training, and then delete the checkpoints that are not kept.

        Raises: OSError, with the path, if it cannot be written. Earlier checkpoints are unchanged.
        """
        step, arrays = int(state.step), by_path(state)
        self.report(f"saving step {step}")
        temporary = self.folder / f"{SAVING}{step}"
        try:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            write(temporary / "state", arrays)
            sums = {path: [*spec(a), digest(a)] for path, a in arrays.items()}
            values = {name: v for name, v in validation.items() if isinstance(v, float)}
            made = Receipt(step, {**self.config, **config}, environment(), sums, values)
            receipt.write(temporary, made)
            receipt.flush(temporary)
            replaced = [self._renamed(step)] if self.path(step).exists() else []
            temporary.rename(self.path(step))
            receipt.flush_one(self.folder)  # before an earlier checkpoint is deleted
            for old in replaced:
                shutil.rmtree(old)
        except Exception as error:
            shutil.rmtree(temporary, ignore_errors=True)
            raise as_os_error(error, self.path(step)) from None
        self._prune()

    def latest(self, state: Any, *, config: Mapping[str, Any] = {}) -> dict[str, Any]:
        """The arrays of the latest good checkpoint by path, or {} if there is none.

        Options:
            state: of the run, whose arrays must have the same paths, shapes and dtypes, but for
                those of metrics and callbacks.
            config: entries that must be equal besides `self.config`.
        Raises: ValueError that lists all differences of the configuration and the arrays.
        """
        own = by_path(state)
        for step in reversed(self.steps()):
            try:
                found = self.read_receipt(step)
                require_same(self.path(step), found, {**self.config, **config}, own, OWN)
                saved = self.arrays(found)
            except Damaged as damage:
                self._set_aside(step, damage)
                continue
            differing = changes(found.environment, environment())
            but = f", but not bit for bit: {', '.join(differing)}" if differing else ""
            self.report(f"continues from step {step}{but}")
            self._prune()
            return saved
        return {}

    def read_receipt(self, step: int) -> Receipt:
        """The receipt of a step, after a comparison of all files with it.

        Raises: Damaged, which names what differs.
        """
        found = receipt.read(self.path(step))
        if found.step != step:
            raise Damaged(f"{receipt.NAME} is of step {found.step}")
        receipt.verify(self.path(step), found)
        return found

    def arrays(self, found: Receipt, *below: str) -> dict[str, Any]:
        """Arrays of a checkpoint by path, all or those whose paths begin with one of `below`.

        Raises: Damaged if an array cannot be read, or has other bits than were saved.
        """
        chosen = {path: a for path, a in found.arrays.items() if path.startswith(below or ("",))}
        specs = {path: Spec(dtype, tuple(shape)) for path, (dtype, shape, _) in chosen.items()}
        saved = read(self.path(found.step) / "state", specs)
        for path, (*_, expected) in chosen.items():
            if digest(saved[path]) != expected:
                raise Damaged(f"the array {path} has other bits")
        return saved

    def best(self) -> int | None:
        """The step with the best value of `keep.best`, among undamaged checkpoints."""
        values = {step: value for step, value in self._values().items() if value is not None}
        return self.keep.best_of(values.items())

    def _values(self):
        """Each step with its value of the metric that decides which is the best, or None."""
        values: dict[int, float | None] = {}
        for step in self.steps():
            try:
                values[step] = receipt.read(self.path(step)).validation.get(f"{self.keep.best}")
            except (Damaged, ValueError):
                values[step] = None
        return values

    def _prune(self):
        """Delete the checkpoints that are not kept."""
        values = self._values()
        for old in sorted(values.keys() - self.keep.chosen(values)):
            self.report(f"deleting step {old}")
            shutil.rmtree(self._renamed(old))

    def _renamed(self, step):
        """The folder of a checkpoint that is to be deleted, under another name.

        The renaming is one operation, so no process takes a half for a whole.
        """
        doomed = self.folder / f"{DELETING}{step}"
        shutil.rmtree(doomed, ignore_errors=True)
        return self.path(step).rename(doomed)

    def _set_aside(self, step, damage):
        aside = self.folder / f"{step}{DAMAGED}"
        _remove(aside)
        self.path(step).rename(aside)
        self.report(f"step {step} is damaged: {damage}; renamed to {aside.name}")


def _remove(path: Path) -> None:
    """Remove a folder with its content, or a file or link; nothing if it does not exist."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
