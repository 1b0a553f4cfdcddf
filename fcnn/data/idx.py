"""The IDX format of MNIST and its kin, gzipped or plain.

    0  0  type  d     then d sizes (big-endian uint32), then the values in row-major order

Only type 8, unsigned bytes, occurs in these data sets.

A file is found by its name, as in train-images-idx3-ubyte, train-images.idx3-ubyte or
TRAIN-IMAGES.GZ, in the folder or below it, as in torchvision's MNIST/raw.
"""

import re
import struct
from math import prod
from pathlib import Path

import numpy as np

from fcnn.data.dataset import DataError, Dataset, Images
from fcnn.data.files import advice, levels, only, other_format, read, refuse_other, unpacked

LARGEST = 2**30  # bytes of one array: six times the largest of these data sets
TRAILING = 2**16  # bytes beyond the announced ones that are counted
# A folder with one of these in its name holds that data set; the first match counts.
KIN = ("fashion", "emnist", "kmnist", "qmnist", "notmnist", "medmnist", "mnist", "cifar", "svhn")

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

FIRST = {  # the labels with which the original files for training begin
    "mnist": (5, 0, 4, 1, 9, 2, 1, 3, 1, 4, 3, 5),
    "fashion_mnist": (9, 0, 0, 3, 0, 2, 7, 2, 5, 5, 0, 9),
}


def idx_images(name: str, folder: Path) -> Dataset:
    """Read train-images-idx3-ubyte, train-labels-idx1-ubyte and the two t10k files.

    Raises: DataError naming the file, if one is missing, damaged or at odds with the others.
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
        _refuse_kin(name, labels, y)
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
    """The unsigned bytes of one IDX file, gunzipped if it is gzip, whatever its name.

    No more than the announced bytes are kept, so a small file that unpacks to a huge one is refused
    at little cost.

    Raises: DataError if the file is no such thing, or longer or shorter than it announces.
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
    refuse_other(path, start)
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
    apart = "[-_. ]?"
    first = {"train": "train", "t10k": "(t10k|test)"}[prefix]
    known = rf"{first}{apart}{what}({apart}idx{axes}{apart}ubyte)?( ?\(\d+\))?(\.\w+)*"
    for files in levels(folder, lambda inner: _kin(inner) in (None, _kin(data_set))):
        if found := [p for p in files if re.fullmatch(known, p.name, re.IGNORECASE)]:
            return only(found)
    name = f"{prefix}-{what}-idx{axes}-ubyte"
    raise DataError(
        f"{folder / name}: no such file, nor one in a subfolder, nor {name}.gz; {advice(folder)}"
    )


def _refuse_kin(name: str, path: Path, y: np.ndarray) -> None:
    """DataError for the labels of another data set, whose files have the same names."""
    for other, first in FIRST.items():
        if other != name and tuple(y[: len(first)].tolist()) == first:
            raise DataError(f"{path}: is of {other}, not {name}; name {other}, or another folder")


def _kin(folder_name: str) -> str | None:
    """Which data set a folder's name tells of."""
    plain = re.sub("[^a-z]", "", folder_name.lower())
    return next((kin for kin in KIN if kin in plain), None)
