"""CIFAR-10 in its official binary layout, as a folder or as an archive.

A record is one label byte and 3,072 pixel bytes: the red, green and blue plane, each row by row.
The folder is cifar-10-batches-bin with data_batch_1.bin to data_batch_5.bin and test_batch.bin. The
archive is cifar-10-binary.tar.gz, which contains that folder. Both are also found in
subfolders.

The archive is read as a stream, and nothing is extracted: its paths and links have no effect. Only
the fixed header of a member is parsed, not the headers for long names and sparse files, because
`tarfile` reads those into memory whatever their size.
"""

import re
import tarfile
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path, PurePosixPath

import numpy as np

from fcnn.data.dataset import DataError, Dataset, Images
from fcnn.data.files import CHUNK, advice, levels, only, read, reject_other, unpacked

FOLDER, ARCHIVE = "cifar-10-batches-bin", "cifar-10-binary.tar.gz"
RECORD = 1 + 3 * 32 * 32
LARGEST = 50_000 * RECORD  # largest size of a file: that of all five training batches together
LARGEST_ARCHIVE = 2 * LARGEST  # largest size of an archive, decompressed; the official: 184 million
BLOCK = tarfile.BLOCKSIZE
CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
BATCH = re.compile(r"((data_batch_[1-5]|test_batch)(\.bin|\.mat|))(\.gz)*", re.IGNORECASE)
PACKED = re.compile(r".*cifar.*\.(tar|tgz|gz)\b.*", re.IGNORECASE)


def cifar10(folder: Path) -> Dataset:
    """CIFAR-10 from batch files or cifar-10-binary.tar.gz, in `folder` or its subfolders.

    Raises: DataError that names the file, if a file is missing, damaged or of another version.
    """
    batch = _reader(folder)
    train = [_records(*batch(f"data_batch_{i}.bin")) for i in range(1, 6)]
    test = _records(*batch("test_batch.bin"))
    x, y = (np.concatenate(parts) for parts in zip(*train, strict=True))
    return Dataset("cifar10", Images(x, y), test, CLASSES)


def _reader(folder: Path) -> Callable[[str], tuple[str, np.ndarray]]:
    """Function from the name of a batch to its location and its bytes."""
    files = list(chain.from_iterable(levels(folder)))
    batches = [path for path in files if BATCH.fullmatch(path.name)]
    if binary := [path for path in batches if _batch(path.name).endswith(".bin")]:
        return _from_folder(binary)
    if archives := [path for path in files if PACKED.fullmatch(path.name)]:
        return _from_archive(min(archives, key=lambda path: "binary" not in path.name.lower()))
    for path in batches:
        _reject_version(path, path.name)
    raise DataError(f"{folder / FOLDER}: no such folder, nor {ARCHIVE}; {advice(folder)}")


def _batch(name: str) -> str:
    """The file name of a batch without .gz, in lower case; "" for other file names."""
    match = BATCH.fullmatch(name)
    return match[1].lower() if match else ""


def _reject_version(where: Path, name: str) -> None:
    version = "MATLAB" if _batch(name).endswith(".mat") else "Python"
    raise DataError(
        f"{where}: is the {version} version of CIFAR-10; fetch the binary one, {ARCHIVE}"
    )


def _from_folder(binary: list[Path]) -> Callable[[str], tuple[str, np.ndarray]]:
    depth = min(len(path.parts) for path in binary)
    folder = only([path for path in binary if len(path.parts) == depth]).parent
    paths = {_batch(path.name): path for path in binary if path.parent == folder}

    def batch(name):
        if name not in paths:
            raise DataError(f"{folder / name}: cannot be read: no such file; fetch it again")
        with unpacked(paths[name]) as stream:
            return str(paths[name]), read(stream.read, LARGEST + 1)

    return batch


def _from_archive(archive: Path) -> Callable[[str], tuple[str, np.ndarray]]:
    packed: dict[str, np.ndarray] = {}
    with unpacked(archive) as stream:
        reject_other(archive, stream.peek(BLOCK))
        for name, content in _batches(archive, stream.read):
            if not name.endswith(".bin"):
                _reject_version(archive, name)
            packed[name] = content

    def batch(name):
        if name not in packed:
            raise DataError(f"{archive}: does not contain {FOLDER}/{name}; fetch the file again")
        return f"{archive}:{FOLDER}/{name}", packed[name]

    return batch


def _batches(archive: Path, read_some: Callable[[int], bytes]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name and the bytes of each batch in a tar stream.

    Raises: DataError for a damaged header, and for an archive that is too short or too long.
    """
    left = LARGEST_ARCHIVE
    while (header := read_some(BLOCK)).strip(b"\0"):  # a block of zeros ends the archive
        try:
            member = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise DataError(f"{archive}: cannot be read ({error}); fetch the file again") from None
        size = max(member.size, 0)
        padding = -size % BLOCK
        left -= BLOCK + size + padding
        if left < 0:
            raise DataError(
                f"{archive}: holds over {LARGEST_ARCHIVE:,} bytes, more than CIFAR-10; "
                "is it another file?"
            )
        name = _batch(PurePosixPath(member.name).name)
        kept = size if name and member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) else 0
        content = read(read_some, kept)
        if len(content) < kept or not _skip(read_some, size + padding - kept):
            raise DataError(f"{archive}: cannot be read (ends too early); fetch the file again")
        if kept:
            yield name, content


def _skip(read_some: Callable[[int], bytes], count: int) -> bool:
    """Read `count` bytes without keeping them; False if the stream ends before."""
    while count and (chunk := read_some(min(CHUNK, count))):
        count -= len(chunk)
    return count == 0


def _records(where: str, raw: np.ndarray) -> Images:
    if len(raw) > LARGEST:
        raise DataError(
            f"{where}: holds over {LARGEST:,} bytes, more than a batch; is it another file?"
        )
    if len(raw) == 0 or len(raw) % RECORD:
        raise DataError(
            f"{where}: {len(raw)} bytes are not a multiple of the {RECORD} bytes of a record; "
            "fetch the file again"
        )
    records = raw.reshape(-1, RECORD)
    y = records[:, 0].astype(np.int32)
    if y.max() >= len(CLASSES):
        at = int(y.argmax())
        raise DataError(f"{where}: label {y[at]} in record {at}; cifar10 has classes 0 to 9")
    planes = records[:, 1:].reshape(-1, 3, 32, 32)
    return Images(planes.transpose(0, 2, 3, 1) / np.float32(255), y)
