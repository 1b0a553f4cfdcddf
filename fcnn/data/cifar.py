"""CIFAR-10 in its official binary layout, as a folder or still packed.

A record is one label byte and 3,072 pixel bytes: the red plane, the green, the blue, row by row.
The folder is cifar-10-batches-bin with data_batch_1.bin to data_batch_5.bin and test_batch.bin; the
archive is cifar-10-binary.tar.gz with that folder in it.
"""

import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fcnn.data.dataset import DataError, Dataset, Images

FOLDER, ARCHIVE = "cifar-10-batches-bin", "cifar-10-binary.tar.gz"
RECORD = 1 + 3 * 32 * 32
CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())


def cifar10(folder: Path) -> Dataset:
    """Read the batches in `folder`, in its cifar-10-batches-bin, or in its cifar-10-binary.tar.gz.

    Raises: DataError naming the file, if one is missing or damaged.
    """
    read = _reader(folder)
    train = [_records(*read(f"data_batch_{i}.bin")) for i in range(1, 6)]
    test = _records(*read("test_batch.bin"))
    x, y = (np.concatenate(parts) for parts in zip(*train, strict=True))
    return Dataset("cifar10", Images(x, y), test, CLASSES)


def _reader(folder: Path) -> Callable[[str], tuple[str, bytes]]:
    """From the name of a batch to where it was found and its bytes."""
    for place in (folder, folder / FOLDER):
        if (place / "test_batch.bin").is_file() or (place / "data_batch_1.bin").is_file():
            return lambda name: (str(place / name), _bytes(place / name))
    archive = folder / ARCHIVE
    if not archive.is_file():
        raise DataError(
            f"{folder / FOLDER}: no such folder, nor {ARCHIVE}; "
            "put it there or name another --data-dir"
        )
    packed = _unpacked(archive)

    def read(name):
        inside = f"{FOLDER}/{name}"
        if inside not in packed:
            raise DataError(f"{archive}: holds no {inside}; fetch the file again")
        return f"{archive}:{inside}", packed[inside]

    return read


def _unpacked(archive: Path) -> dict[str, bytes]:
    try:
        with tarfile.open(archive) as tar:
            return {m.name: f.read() for m in tar if (f := tar.extractfile(m)) is not None}
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{archive}: cannot be read ({reason}); fetch the file again") from None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); fetch the file again"
        ) from None


def _records(where: str, raw: bytes) -> Images:
    if len(raw) == 0 or len(raw) % RECORD:
        raise DataError(
            f"{where}: {len(raw)} bytes are no whole number of {RECORD}-byte records; "
            "fetch the file again"
        )
    records = np.frombuffer(raw, np.uint8).reshape(-1, RECORD)
    y = records[:, 0].astype(np.int32)
    if y.max() >= len(CLASSES):
        at = int(y.argmax())
        raise DataError(f"{where}: label {y[at]} in record {at}; cifar10 has classes 0 to 9")
    planes = records[:, 1:].reshape(-1, 3, 32, 32)
    return Images(planes.transpose(0, 2, 3, 1) / np.float32(255), y)
