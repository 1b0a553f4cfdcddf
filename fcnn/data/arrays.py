"""Arrays of an .npz file, memory-mapped where the file holds them uncompressed.

An .npz file is a zip archive with one member NAME.npy for each array:

    zip local header  name  extra  | \\x93NUMPY  version  length  header | values
    30 bytes, with the lengths of name and extra in its last 4 bytes

`np.savez` stores members as they are, so their values are mapped at their offset in the file.
"""

import struct
import zipfile
from collections import Counter
from io import BufferedReader
from math import prod
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from fcnn.data.dataset import DataError
from fcnn.data.files import other_format, read

LARGEST = 2**32  # bytes of all compressed arrays together, at most
SMALL = 2**28  # bytes of one array up to which every ratio of compression is accepted
RATIO = 200  # of announced to compressed bytes of a larger array, at most
KINDS = "biufcUS"  # NumPy's letters for bools, numbers and strings
ADVICE = "save images and labels in one file: np.savez('data.npz', x=x, y=y)"
LOCAL_HEADER = struct.Struct("<4s22xHH")
ENCRYPTED = 1  # bit of the flags of a member
READ_HEADER = {  # by version of the format; version 3 holds records only
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class _Header(NamedTuple):
    dtype: np.dtype
    shape: tuple[int, ...]
    order: Literal["C", "F"]


def arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Read the arrays of an .npz file by name, memory-mapped where they are not compressed.

    Arrays of `np.savez` are mapped, so a file may be larger than memory. Arrays of
    `np.savez_compressed` are read into memory. All of them are read-only. Checksums (CRC) of
    compressed arrays are verified, those of mapped arrays are not. Nothing is unpickled.

    Shapes: those in the file.
    Options:
        path: .npz file.
    Units:  those in the file.
    Raises: DataError, a ValueError, for a file that is missing, damaged or of another format, for
            arrays of Python objects, of other kinds than numbers, bools and strings, or in
            big-endian byte order, and for compressed arrays of more than 4 GiB together, or of more
            than 256 MiB and 200 times their compressed size. Its message is one line.
    Cost:   memory for the compressed arrays only.
    Source: numpy.lib.format; PKWARE's APPNOTE.TXT.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/data.npz", x=np.zeros((2, 3), np.float32), y=np.arange(2))
    ...     data = fcnn.data.arrays(f"{folder}/data.npz")
    ...     data["y"]
    memmap([0, 1])
    """
    path = Path(path).expanduser()
    try:
        with path.open("rb") as file:
            _require_format(path, file.read(16))
            return _members(path, file)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def _members(path: Path, file: BufferedReader) -> dict[str, np.ndarray]:
    """The arrays in the zip archive `file`, opened from `path`."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            _require_names(path, [member.filename for member in members])
            _require_small(path, [member for member in members if member.compress_type])
            found = (_array(path, file, archive, member) for member in members)
            return {m.filename.removesuffix(".npy"): a for m, a in zip(members, found, strict=True)}
    except (DataError, MemoryError):
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise errors of many types
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"{path}: damaged .npz file ({reason}); save it again") from None


def _array(
    path: Path, file: BufferedReader, archive: zipfile.ZipFile, member: zipfile.ZipInfo
) -> np.ndarray:
    """The array in a member of the archive, read-only."""
    if member.compress_type == zipfile.ZIP_STORED:
        start = _start(file, member)
        file.seek(start)
        dtype, shape, order = _header(path, file, member)
        offset = file.tell()
        size = offset - start + dtype.itemsize * prod(shape)
        _require_size(path, member, size, member.file_size)
        _require_size(path, member, size, min(size, file.seek(0, 2) - start))
        if 0 in (*shape, dtype.itemsize):  # there are no empty maps
            a = np.empty(shape, dtype, order)
        else:
            a = np.memmap(path, dtype, "r", offset, shape, order)
    else:
        with archive.open(member) as stream:
            dtype, shape, order = _header(path, stream, member)
            size = stream.tell() + dtype.itemsize * prod(shape)
            _require_size(path, member, size, member.file_size)
            values = read(stream.read, size - stream.tell())
            _require_size(path, member, size, stream.tell())
            stream.read()  # the end, where the checksum is verified
        a = np.ndarray(shape, dtype, values, order=order)
    a.flags.writeable = False
    return a


def _start(file: BufferedReader, member: zipfile.ZipInfo) -> int:
    """Offset of the first byte of a stored member."""
    file.seek(member.header_offset)
    start, name, extra = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
    if start != b"PK\3\4" or member.flag_bits & ENCRYPTED:
        raise zipfile.BadZipFile(f"{member.filename!r} has a wrong header or is encrypted")
    return member.header_offset + LOCAL_HEADER.size + name + extra


def _header(path: Path, stream: Any, member: zipfile.ZipInfo) -> _Header:
    """Data type, shape and order of the array in a member, of which the header is read."""
    version = np.lib.format.read_magic(stream)
    shape, fortran, dtype = READ_HEADER[version](stream)
    name = member.filename.removesuffix(".npy")
    where = f"{path}: {name!r}"
    if dtype.hasobject:
        advice = "save numbers, or strings as np.array(names)"
        raise DataError(f"{where} holds Python objects, which are not unpickled; {advice}")
    if dtype.kind not in KINDS:
        what = f"{dtype}, not numbers, bools or strings"
        raise DataError(f"{where} holds {what}; save it with .astype(np.float32)")
    if dtype.newbyteorder("<") != dtype:
        advice = f"save it with .astype({dtype.newbyteorder('<').str!r})"
        raise DataError(f"{where} holds big-endian {dtype.str}; {advice}")
    if any(size < 0 for size in shape):
        raise ValueError(f"{name!r} has the shape {shape}")
    return _Header(dtype, shape, "F" if fortran else "C")


def _require_size(path: Path, member: zipfile.ZipInfo, announced: int, held: int) -> None:
    if announced != held:
        what = f"{member.filename!r} announces {announced:,} bytes but holds {held:,}"
        raise DataError(f"{path}: {what}; save the file again")


def _require_format(path: Path, start: bytes) -> None:
    """DataError unless the first bytes of the file are those of a zip archive."""
    if start.startswith(np.lib.format.MAGIC_PREFIX):
        raise DataError(f"{path}: is one array, without its labels; {ADVICE}")
    if not start.startswith(b"PK"):
        other = other_format(path) if path.suffix.lower() != ".npz" else ""
        what = other.strip() or "not an .npz file"
        raise DataError(f"{path}: {what}; {ADVICE}")


def _require_names(path: Path, names: list[str]) -> None:
    """DataError unless all members are arrays with different names."""
    if not names:
        raise DataError(f"{path}: contains no arrays; {ADVICE}")
    for name, count in Counter(names).items():
        if not name.endswith(".npy"):
            raise DataError(f"{path}: {name!r} is not an array; {ADVICE}")
        if count > 1:
            raise DataError(f"{path}: contains {name!r} {count} times; save the file again")


def _require_small(path: Path, compressed: list[zipfile.ZipInfo]) -> None:
    """DataError if compressed members announce too many bytes."""
    advice = "save it by np.savez, which is memory-mapped"
    total = sum(member.file_size for member in compressed)
    if total > LARGEST:
        what = f"compressed arrays announce {total:,} bytes, over {LARGEST:,}"
        raise DataError(f"{path}: {what}; {advice}")
    for member in compressed:
        if member.file_size > max(SMALL, RATIO * member.compress_size):
            what = f"{member.filename!r} announces {member.file_size:,} bytes"
            what += f", over {RATIO} times its compressed {member.compress_size:,}"
            raise DataError(f"{path}: {what}; {advice}")
