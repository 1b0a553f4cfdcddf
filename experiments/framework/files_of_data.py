"""Options of experiments with training on data other than images, and a search for their files."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np

from experiments.framework.options import Seeded, default_shown
from fcnn.data.data_dir import chosen_folder
from fcnn.data.dataset import DataError
from fcnn.data.files import levels, only

BATCH = 32  # examples of a training step
RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)  # of Adam's first step
STEPS, FULL_STEPS, SMOKE_STEPS = 600, 2400, 25
LEAST, MOST = 1000, 100_000  # parameters: all kinds of network can have about as many


@dataclass(frozen=True)
class Files(Seeded):
    """Options of experiments whose data are files by name."""

    data_dir: Annotated[Path | None, default_shown("$FCNN_DATA", "DIR")] = None
    """Folder with the original files, also in subfolders."""

    steps: Annotated[int | None, default_shown(f"{STEPS}; {FULL_STEPS} with --full", "INT")] = None
    """Training steps of each network at each learning rate, at least one pass over the examples."""

    parameters: int = 2000
    """Parameters of each network, within 10 %."""

    full: bool = False
    """A longer run, with four times as many steps."""


F = TypeVar("F", bound=Files)


def with_sizes(config: F) -> F:
    """`config` with the number of steps of a usual, a full or a smoke run in place of None.

    Raises: ValueError for fewer than one step, and for numbers of parameters that no network has.
    """
    default = SMOKE_STEPS if config.smoke else FULL_STEPS if config.full else STEPS
    steps = default if config.steps is None else config.steps
    if steps < 1:
        raise ValueError(f"--steps {steps} must be at least 1; write --steps {default}")
    if not LEAST <= config.parameters <= MOST:
        what = f"--parameters {config.parameters} must be from {LEAST} to {MOST}"
        raise ValueError(f"{what}; write --parameters 2000")
    return replace(config, steps=steps)


def epochs(config: Files, examples: int) -> int:
    """Passes over this number of training examples with about the steps of the options."""
    return max(1, round((config.steps or 0) / max(1, examples // BATCH)))


def found(name: str, data_dir: Path | None) -> Path:
    """The file of this name in `data_dir` or $FCNN_DATA, also in three levels of subfolders.

    Raises: DataError, a ValueError, if there is none, or if two folders have one.
    """
    folder = chosen_folder(data_dir)
    remedy = f"write --data-dir DIR, a folder that contains {name}, or set FCNN_DATA"
    if not folder.is_dir():
        raise DataError(f"{name}: there is no folder {folder}; {remedy}")
    files = [path for level in levels(folder) for path in level if path.name == name]
    if not files:
        raise DataError(f"{name}: is not in {folder} or its subfolders; {remedy}")
    return only(files)


def lines_of(path: Path) -> list[str]:
    """The lines of a text file.

    Raises: DataError, a ValueError, if it cannot be read as UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"{path}: is not text in UTF-8; write the original file again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def identity(data: Mapping[str, np.ndarray]) -> str:
    """A hash of the training examples of each data set: for the field `data` of a record.

    >>> identity({"a": np.zeros(2)})
    'a sha256 374708ff'
    """
    digests = {k: hashlib.sha256(a.tobytes()).hexdigest() for k, a in data.items()}
    return ", ".join(f"{name} sha256 {digest[:8]}" for name, digest in digests.items())
