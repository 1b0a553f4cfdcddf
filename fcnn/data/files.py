"""Data files as they are stored: in subfolders, under changed names, packed or not.

A name tells which file it is, whatever its case and ending. The first bytes tell how it is packed:
a browser may unpack a .gz and keep the name, or pack one that was packed before.
"""

import gzip
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path

import numpy as np

from fcnn.data.dataset import DataError

DEPTH = 3  # levels of subfolders that are searched
LAYERS = 3  # of gzip that are taken off, at most
CHUNK = 2**20
ARCHIVES = (".zip", ".tar", ".tgz", ".7z", ".rar")
GZIP = b"\x1f\x8b"
FORMATS = {  # of data sets that are not read here, by the ending
    ".csv": "a CSV file",
    ".npz": "a NumPy archive",
    ".npy": "a NumPy array",
    ".parquet": "a Parquet file",
    ".arff": "an ARFF file",
    ".mat": "a MATLAB file",
    ".h5": "an HDF5 file",
    ".hdf5": "an HDF5 file",
    ".pkl": "a pickle",
    ".pt": "a torch file",
}
OTHER = {  # first bytes of what is not unpacked here
    b"PK\3\4": "a zip archive; unpack it first",
    b"BZh": "packed by bzip2; unpack it first",
    b"\xfd7zXZ": "packed by xz; unpack it first",
    b"\x93NUMPY": "a NumPy array, which is not read",
    b"PAR1": "a Parquet file, which is not read",
    b"<": "a web page, not the file; fetch the file again",
}


def levels(
    folder: Path, enter: Callable[[str], bool] = lambda name: True
) -> Iterator[tuple[Path, ...]]:
    """The files in `folder`, then those in its subfolders, and so on, hidden ones left out.

    A subfolder is searched if its name passes `enter`.

    Raises: DataError if `folder` cannot be read.
    """
    folders = [folder]
    for _ in range(1 + DEPTH):
        files, inner = [], []
        for place in folders:
            try:
                entries = sorted(os.scandir(place), key=lambda entry: entry.name)
            except OSError as error:
                if place == folder:
                    raise DataError(f"{folder}: cannot be read ({error.strerror})") from None
                continue
            shown = [entry for entry in entries if not entry.name.startswith(".")]
            files += [Path(entry.path) for entry in shown if entry.is_file()]
            inner += [Path(e.path) for e in shown if e.is_dir() and enter(e.name)]
        yield tuple(files)
        folders = inner


def only(found: list[Path]) -> Path:
    """The file to read among several of one name: the shortest name of one folder.

    Raises: DataError if they lie in different folders.
    """
    folders = list(dict.fromkeys(path.parent for path in found))
    if len(folders) > 1:
        raise DataError(
            f"{found[0].name}: is in {folders[0]} and in {folders[1]}; name one of them "
            "with --data-dir"
        )
    return min(found, key=lambda path: len(path.name))


def advice(folder: Path) -> str:
    """What to do where a file is missing from `folder`."""
    there = next(levels(folder))
    archives = [p.name for p in there if p.suffix.lower() in ARCHIVES]
    first = f"unpack {archives[0]} there" if archives else "put it there"
    others = [p.name + other_format(p) for p in there if other_format(p)]
    return "; ".join([f"{first} or name another --data-dir", *others[:1]])


def other_format(path: Path) -> str:
    """The words for a file of a format that is not read here; "" for others."""
    ending = path.suffix.lower()
    return f" is {FORMATS[ending]}, which is not read" if ending in FORMATS else ""


@contextmanager
def unpacked(path: Path) -> Iterator[BufferedReader | gzip.GzipFile]:
    """The bytes of `path`, with every layer of gzip taken off.

    Raises: DataError, here and while reading, if it cannot be read.
    """
    try:
        with ExitStack() as stack:
            stream: BufferedReader | gzip.GzipFile = stack.enter_context(path.open("rb"))
            for _ in range(LAYERS):
                if stream.peek(2)[:2] != GZIP:
                    break
                stream = stack.enter_context(gzip.GzipFile(fileobj=stream, mode="rb"))
            yield stream
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read ({reason}); fetch the file again") from None


def refuse_other(path: Path, start: bytes) -> None:
    """DataError if a file that starts like this is packed in another way, or is a web page."""
    for first, what in OTHER.items():
        if start.startswith(first):
            raise DataError(f"{path}: cannot be read: it{other_format(path) or f' is {what}'}")


def read(some: Callable[[int], bytes], count: int) -> np.ndarray:
    """The next `count` bytes, or as many as there are, of what some(n) gives up to n bytes of.

    Memory grows with what is there, not with `count`.
    """
    data = bytearray()
    while len(data) < count and (chunk := some(min(CHUNK, count - len(data)))):
        data += chunk
    return np.frombuffer(data, np.uint8)
