"""Options of experiments with training on data other than images, and a search for their files."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
from tyro.conf import arg

from experiments.framework.options import Seeded, default_shown, require_positive
from fcnn.data.data_dir import chosen_folder
from fcnn.data.dataset import DataError
from fcnn.data.files import levels, only

BATCH = 32  # examples of a training step
RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)  # of Adam's first step
SMOKE_STEPS = 25


@dataclass(frozen=True)
class Files(Seeded):
    """Options of experiments whose data are files by name."""

    data_dir: Annotated[Path | None, default_shown("$FCNN_DATA", "DIR")] = None
    """Folder with the original files, also in subfolders."""

    steps: Annotated[int, arg(metavar="INT")] = 600
    """Training steps of each network at each learning rate."""

    full: bool = False
    """A longer run, with four times as many steps."""


F = TypeVar("F", bound=Files)


def with_steps(config: F) -> F:
    """`config` with the number of steps that a smoke run or a full run has.

    Raises: ValueError for fewer than one step.
    """
    require_positive(config, "steps")
    steps = SMOKE_STEPS if config.smoke else config.steps * (4 if config.full else 1)
    return replace(config, steps=steps)


def epochs(config: Files, examples: int) -> int:
    """Passes over this number of training examples with about the steps of the options."""
    return max(1, round(config.steps / max(1, examples // BATCH)))


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


def identity(data: Mapping[str, np.ndarray]) -> str:
    """A hash of the training examples of each data set: for the field `data` of a record.

    >>> identity({"a": np.zeros(2)})
    'a sha256 374708ff'
    """
    digests = {k: hashlib.sha256(a.tobytes()).hexdigest() for k, a in data.items()}
    return ", ".join(f"{name} sha256 {digest[:8]}" for name, digest in digests.items())
