"""IDX format of MNIST and Fashion-MNIST, gzipped or plain.

    0  0  type  d     then d sizes (big-endian uint32), then the values in row-major order

These data sets use only type 8, unsigned bytes.

A file is found by its name: train-images-idx3-ubyte, train-images.idx3-ubyte or TRAIN-IMAGES.GZ,
in the folder or below it, as in torchvision's MNIST/raw.
"""

import re
import struct
from math import prod
from pathlib import Path

import numpy as np

from fcnn.data.dataset import DataError, Dataset, Images
from fcnn.data.files import advice, levels, only, other_format, read, reject_other, unpacked

LARGEST = 2**28  # bytes of one array, at most; MNIST's training images have 47 million
TRAILING = 2**16  # most bytes read beyond the announced size, to report the excess
# The data set in a folder is the first of these that occurs in the name of the folder.
DATA_SETS = (
    *("fashion", "emnist", "kmnist", "qmnist", "notmnist", "medmnist"),
    *("mnist", "cifar", "svhn"),
)

CLASSES = {
    "mnist": tuple("0123456789"),
    "fashion_mnist": (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
}

FIRST_LABELS = {  # first labels of the original training files
    "mnist": (5, 0, 4, 1, 9, 2, 1, 3, 1, 4, 3, 5),
    "fashion_mnist": (9, 0, 0, 3, 0, 2, 7, 2, 5, 5, 0, 9),
}


def idx_images(name: str, folder: Path) -> Dataset:
    """Data set from train-images-idx3-ubyte, train-labels-idx1-ubyte and the two t10k files.

    Raises: DataError that names the file, if a file is missing, damaged or does not fit the rest.
    """
    parts = []
    for prefix in ("train", "t10k"):
        images = _find(name, folder, prefix, "images", 3)
        labels = _find(name, folder, prefix, "labels", 1)
        x, y = read_idx(images, axes=3), read_idx(labels, axes=1)
        if len(x) != len(y):
            raise DataError(f"{labels}: {len(y)} labels, but {images.name} holds {len(x)} images")
        if len(y) == 0:
            raise DataError(f"{images}: no images; fetch the file again")
        _reject_other_data_set(name, labels, y)
        if y.max() >= len(CLASSES[name]):
            at = int(y.argmax())
            raise DataError(f"{labels}: label {y[at]} at position {at}; {name} has classes 0 to 9")
        parts.append(Images((x / np.float32(255))[..., None], y.astype(np.int32)))
    if parts[0].x.shape[1:] != parts[1].x.shape[1:]:
        sizes = [f"{p.x.shape[1]}×{p.x.shape[2]}" for p in parts]
        raise DataError(f"{folder}: training images are {sizes[0]} but test images {sizes[1]}")
    train, test = parts
    return Dataset(name, train, test, CLASSES[name])


def read_idx(path: Path, *, axes: int) -> np.ndarray:
    """Unsigned bytes of one IDX file, decompressed if it is gzipped, whatever its name.

    No more than the announced bytes are kept, so a small file that decompresses to a huge array
    is rejected at little cost.

    Raises: DataError if the file is not an IDX file, or has more or fewer bytes than it announces.
    """
    magic, head = bytes([0, 0, 8, axes]), 4 + 4 * axes
    with unpacked(path) as stream:
        start = read(stream.read, head).tobytes()
        _check_start(path, start, magic, head)
        shape = struct.unpack(f">{axes}I", start[4:])
        size = "×".join(map(str, shape))
        if prod(shape) > LARGEST:
            raise DataError(
                f"{path}: announces {size} bytes, over {LARGEST:,}; is it another file?"
            )
        values = read(stream.read, prod(shape))
        beyond = len(read(stream.read, TRAILING))
    if len(values) + beyond != prod(shape):
        holds = f"{'more than ' * (beyond == TRAILING)}{len(values) + beyond}"
        raise DataError(f"{path}: announces {size} bytes but holds {holds}; fetch the file again")
    return values.reshape(shape)


def _check_start(path, start, magic, head):
    reject_other(path, start)
    if magic.startswith(start[:4]) and len(start) < head:
        few = f"{len(start)} bytes are too few for an IDX file"
        raise DataError(f"{path}: {few}; fetch the file again")
    found = start[:4].hex(" ")
    if not start.startswith(magic[:2]):
        what = f"it starts with {found}, which is neither gzip nor IDX"
        if other := other_format(path):
            what = f"it{other}"
        raise DataError(f"{path}: cannot be read: {what}; fetch the file again")
    if not start.startswith(magic):
        wanted = f"an IDX file of {magic[3]}-D bytes starts with {magic.hex(' ')}"
        raise DataError(f"{path}: starts with {found}, but {wanted}; is it another file?")


def _find(data_set: str, folder: Path, prefix: str, what: str, axes: int) -> Path:
    dash = "[-_. ]?"
    first = {"train": "train", "t10k": "(t10k|test)"}[prefix]
    known = rf"{first}{dash}{what}({dash}idx{axes}{dash}ubyte)?( ?\(\d+\))?(\.\w+)*"
    for files in levels(folder, lambda inner: _data_set(inner) in (None, _data_set(data_set))):
        if found := [p for p in files if re.fullmatch(known, p.name, re.IGNORECASE)]:
            return only(found)
    name = f"{prefix}-{what}-idx{axes}-ubyte"
    raise DataError(
        f"{folder / name}: no such file, nor one in a subfolder, nor {name}.gz; {advice(folder)}"
    )


def _reject_other_data_set(name: str, path: Path, y: np.ndarray) -> None:
    """DataError for the labels of another data set, whose files have the same names."""
    for other, first in FIRST_LABELS.items():
        if other != name and tuple(y[: len(first)].tolist()) == first:
            raise DataError(
                f"{path}: labels of {other}, not {name}; load {other} or another folder"
            )


def _data_set(folder_name: str) -> str | None:
    """Data set in the name of a folder, if any."""
    letters = re.sub("[^a-z]", "", folder_name.lower())
    return next((name for name in DATA_SETS if name in letters), None)
