"""Search for data files, also in subfolders and under changed names, and their decompression.

A file is identified by its name, in upper or lower case and with any ending. The first bytes of the
file, not its name, decide how it is decompressed: a browser may decompress a .gz file and keep the
name, or compress the file again.
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
LAYERS = 3  # layers of gzip that are removed, at most
CHUNK = 2**20  # bytes read at a time
DOWNLOAD = "write download=True (fcnn train --download)"  # advice of error messages
ARCHIVES = (".zip", ".tar", ".tgz", ".7z", ".rar")
GZIP = b"\x1f\x8b"
FORMATS = {  # file formats that are not supported, by ending
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
OTHER = {  # file formats that are not supported, by first bytes
    b"PK\3\4": "a zip archive; unpack it first",
    b"BZh": "packed by bzip2; unpack it first",
    b"\xfd7zXZ": "packed by xz; unpack it first",
    b"\x93NUMPY": "a NumPy array, which is not supported",
    b"PAR1": "a Parquet file, which is not supported",
    b"<": "a web page, not the file; fetch the file again",
}


def levels(
    folder: Path, enter: Callable[[str], bool] = lambda name: True
) -> Iterator[tuple[Path, ...]]:
    """Yield the visible files of each level: first of `folder`, then of its subfolders, and so on.

    A subfolder is searched if `enter(name)` is true.

    Raises: DataError if `folder` cannot be read.
    """
    folders = [folder]
    for _ in range(1 + DEPTH):
        files, inner = [], []
        for current in folders:
            try:
                entries = sorted(os.scandir(current), key=lambda entry: entry.name)
            except OSError as error:
                if current == folder:
                    raise DataError(f"{folder}: cannot be read ({error.strerror})") from None
                continue
            visible = [entry for entry in entries if not entry.name.startswith(".")]
            files += [Path(entry.path) for entry in visible if entry.is_file()]
            inner += [Path(e.path) for e in visible if e.is_dir() and enter(e.name)]
        yield tuple(files)
        folders = inner


def only(found: list[Path]) -> Path:
    """The file with the shortest name, among several files of one kind.

    Raises: DataError if the files are in different folders.
    """
    folders = list(dict.fromkeys(path.parent for path in found))
    if len(folders) > 1:
        raise DataError(
            f"{found[0].name}: is in {folders[0]} and in {folders[1]}; name one of them "
            "as data_dir (--data-dir)"
        )
    return min(found, key=lambda path: len(path.name))


def advice(folder: Path) -> str:
    """End of an error message on a file that is missing from `folder`: what to do."""
    files = next(levels(folder))
    archives = [p.name for p in files if p.suffix.lower() in ARCHIVES]
    first = f"unpack {archives[0]} there" if archives else "put it there"
    others = [p.name + other_format(p) for p in files if other_format(p)]
    return "; ".join([f"{first}, give another data_dir (--data-dir), or {DOWNLOAD}", *others[:1]])


def other_format(path: Path) -> str:
    """Part of an error message that names an unsupported file format; "" for other formats."""
    ending = path.suffix.lower()
    return f" is {FORMATS[ending]}, which is not supported" if ending in FORMATS else ""


@contextmanager
def unpacked(path: Path) -> Iterator[BufferedReader | gzip.GzipFile]:
    """Stream of the bytes of `path`, after removal of up to LAYERS layers of gzip.

    Raises: DataError, on opening and while reading, if the file cannot be read.
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


def reject_other(path: Path, start: bytes) -> None:
    """DataError if the first bytes belong to an unsupported file format or to a web page."""
    for first, what in OTHER.items():
        if start.startswith(first):
            raise DataError(f"{path}: cannot be read: it{other_format(path) or f' is {what}'}")


def read(read_some: Callable[[int], bytes], count: int) -> np.ndarray:
    """The next `count` bytes of a stream, or fewer at its end; read_some(n) returns up to n bytes.

    Memory grows with the bytes in the stream, even if `count` is larger.
    """
    data = bytearray()
    while len(data) < count and (chunk := read_some(min(CHUNK, count - len(data)))):
        data += chunk
    return np.frombuffer(data, np.uint8)
