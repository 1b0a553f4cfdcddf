"""Level 4: real data sets as arrays."""

import os
import re
from pathlib import Path

from fcnn.data.cifar import cifar10
from fcnn.data.dataset import DataError, Dataset, Images
from fcnn.data.digits import digits
from fcnn.data.files import other_format
from fcnn.data.idx import idx_images
from fcnn.ops.validation import did_you_mean

NAMES = ("digits", "mnist", "fashion_mnist", "cifar10")

__all__ = ["NAMES", "DataError", "Dataset", "Images", "load"]


def load(name: str, data_dir: str | Path | None = None) -> Dataset:
    """Read the data set `name`, whole, into memory.

    "digits" needs no files. The others are read from `data_dir`, or else from the folder that the
    environment variable FCNN_DATA names: from its subfolder `name`, as in MNIST or fashion-mnist,
    where there is one, else from the folder itself and up to three levels below it.

    Raises: DataError, one line naming the file and what to do, for anything missing or damaged.
    """
    if name not in NAMES:
        near = did_you_mean(name, NAMES)
        raise DataError(f"data set {name!r} is none of {', '.join(NAMES)}{near}")
    if name == "digits":
        return digits()
    chosen = data_dir or os.environ.get("FCNN_DATA")
    if not chosen:
        raise DataError(f"{name}: where are its files? Give --data-dir DIR or set FCNN_DATA")
    folder = Path(chosen).expanduser()
    if not folder.is_dir():
        other = other_format(folder)
        what = "no folder" if folder.exists() else "no such folder"
        what += f", and{other}" if other and folder.exists() else ""
        raise DataError(f"{folder}: {what}; give --data-dir the one that holds {name}")
    folder = _named(folder, name)
    return cifar10(folder) if name == "cifar10" else idx_images(name, folder)


def _named(folder: Path, name: str) -> Path:
    """The subfolder `name`, in any case, with or without dashes; else `folder`."""
    plain = lambda text: re.sub("[-_. ]", "", text).lower()
    try:
        inner = [path for path in sorted(folder.iterdir()) if plain(path.name) == plain(name)]
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from None
    return next((path for path in [folder / name, *inner] if path.is_dir()), folder)
