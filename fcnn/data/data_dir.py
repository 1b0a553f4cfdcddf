"""The folder of the data sets, and the subfolder of one of them."""

import os
import re
from pathlib import Path

from fcnn.data.dataset import DataError
from fcnn.data.files import DOWNLOAD, other_format
from fcnn.installation import cache_folder


def chosen_folder(data_dir: str | Path | None) -> Path:
    """`data_dir`, or the environment variable FCNN_DATA, or fcnn/data in the user's cache folder.

    Raises: DataError if ~user names no user, or there is no home folder.
    """
    chosen = data_dir or os.environ.get("FCNN_DATA")
    try:
        return Path(chosen).expanduser() if chosen else cache_folder() / "data"
    except RuntimeError:
        what = f"{chosen}: no such user" if chosen else "there is no home folder"
        raise DataError(f"{what}; give another data_dir (--data-dir)") from None


def folder_of(name: str, data_dir: str | Path | None) -> Path:
    """The existing folder that contains the files of a data set, also in subfolders.

    It is the subfolder `name` of the chosen folder, in any case and with or without dashes, or else
    the chosen folder.

    Raises: DataError if there is no chosen folder, or it cannot be read.
    """
    folder = chosen_folder(data_dir)
    if not folder.is_dir():
        if not (data_dir or os.environ.get("FCNN_DATA")):
            raise DataError(
                f"{name}: no data directory; give data_dir=DIR (--data-dir DIR), set FCNN_DATA, "
                f"or {DOWNLOAD}"
            )
        other = other_format(folder)
        what = "not a folder" if folder.exists() else "no such folder"
        what += f", and{other}" if other and folder.exists() else ""
        raise DataError(
            f"{folder}: {what}; give the folder that contains {name} as data_dir (--data-dir)"
        )
    plain = lambda text: re.sub("[-_. ]", "", text).lower()
    try:
        inner = [path for path in sorted(folder.iterdir()) if plain(path.name) == plain(name)]
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from None
    return next((path for path in [folder / name, *inner] if path.is_dir()), folder)
