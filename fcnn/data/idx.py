"""The IDX format of MNIST and its kin, gzipped or plain.

    0  0  type  d     then d sizes (big-endian uint32), then the values in row-major order

Only type 8, unsigned bytes, occurs in these data sets.
"""

import gzip
import struct
import zlib
from math import prod
from pathlib import Path

import numpy as np

from fcnn.data.dataset import DataError, Dataset, Images

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


def idx_images(name: str, folder: Path) -> Dataset:
    """Read train-images-idx3-ubyte, train-labels-idx1-ubyte and the two t10k files, .gz or plain.

    Raises: DataError naming the file, if one is missing, damaged or at odds with the others.
    """
    parts = []
    for prefix in ("train", "t10k"):
        images = _find(folder, f"{prefix}-images-idx3-ubyte")
        labels = _find(folder, f"{prefix}-labels-idx1-ubyte")
        x, y = read_idx(images, axes=3), read_idx(labels, axes=1)
        if len(x) != len(y):
            raise DataError(f"{labels}: {len(y)} labels, but {images.name} holds {len(x)} images")
        if len(y) == 0:
            raise DataError(f"{images}: no images; fetch the file again")
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
    """The unsigned bytes of one IDX file, gunzipped if its name ends in .gz.

    Raises: DataError if the file is no such thing, or longer or shorter than it says.
    """
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}); fetch the file again") from None
    magic, head = bytes([0, 0, 8, axes]), 4 + 4 * axes
    if magic.startswith(raw[:4]) and len(raw) < head:
        few = f"{len(raw)} bytes are too few for an IDX file"
        raise DataError(f"{path}: {few}; fetch the file again")
    if not raw.startswith(magic):
        wanted = f"an IDX file of {axes}-D bytes starts with {magic.hex(' ')}"
        raise DataError(
            f"{path}: starts with {raw[:4].hex(' ')}, but {wanted}; is it another file?"
        )
    shape = struct.unpack(f">{axes}I", raw[4:head])
    if len(raw) - head != prod(shape):
        size = "×".join(map(str, shape))
        raise DataError(
            f"{path}: announces {size} bytes but holds {len(raw) - head}; fetch the file again"
        )
    return np.frombuffer(raw, np.uint8, offset=head).reshape(shape)


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataError(
        f"{folder / name}: no such file, nor {name}.gz; put it there or name another --data-dir"
    )
