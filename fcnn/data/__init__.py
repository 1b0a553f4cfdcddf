"""Level 4: images, text and time series as arrays, their split, and data augmentation."""

import os
import re
from pathlib import Path

from fcnn.data import augment, series, text
from fcnn.data.arrays import arrays
from fcnn.data.cifar import cifar10
from fcnn.data.dataset import DataError, Dataset, Images
from fcnn.data.digits import digits
from fcnn.data.files import other_format
from fcnn.data.idx import idx_images
from fcnn.data.images.decode_image import decode_image
from fcnn.data.images.image_folder import ImageFolder, image_folder
from fcnn.data.split import split
from fcnn.ops.validation import did_you_mean

NAMES = ("digits", "mnist", "fashion_mnist", "cifar10")

__all__ = [
    "NAMES",
    "DataError",
    "Dataset",
    "ImageFolder",
    "Images",
    "arrays",
    "augment",
    "decode_image",
    "image_folder",
    "load",
    "series",
    "split",
    "text",
]


def load(name: str, data_dir: str | Path | None = None) -> Dataset:
    """Read a data set of images from its files into memory.

    Files may be gzipped or plain. Their names may be in upper or lower case, with the endings of
    common downloads. "digits" comes with scikit-learn and needs no files. Nothing is downloaded.

    Shapes: train and test are pairs of x (n, h, w, c) float32 and y (n,) int32.
    Options:
        name: "digits", "mnist", "fashion_mnist" or "cifar10".
        data_dir: folder of the files; the environment variable FCNN_DATA if None. If it has a
            subfolder `name`, only that is searched. Upper case and dashes do not matter: MNIST and
            fashion-mnist are found. The search includes up to three levels of subfolders.
    Units:  pixels from 0 to 1.
    Raises: DataError, a ValueError, for an unknown name, and for files that are missing or damaged.
            Its message is one line that names the file and shows what to do.
    Cost:   memory for all images in float32: 31 MB for 10,000 images of 28×28.
    Source: digits: Alpaydin & Kaynak 1998; MNIST: LeCun et al. 1998; Fashion-MNIST: Xiao et al.,
            arXiv:1708.07747; CIFAR-10: Krizhevsky 2009.

    >>> digits = fcnn.data.load("digits")
    >>> digits
    Dataset('digits', train=Images(x float32(1437, 8, 8, 1), y int32(1437,)),
            test=Images(x float32(360, 8, 8, 1), y int32(360,)), 10 classes)
    >>> digits.shape, digits.classes[digits.train.y[0]]
    ((8, 8, 1), '3')
    """
    if name not in NAMES:
        near = did_you_mean(name, NAMES)
        raise DataError(f"unknown data set {name!r}; expected one of {', '.join(NAMES)}{near}")
    if name == "digits":
        return digits()
    chosen = data_dir or os.environ.get("FCNN_DATA")
    if not chosen:
        raise DataError(
            f"{name}: no data directory; give data_dir=DIR (--data-dir DIR), or set FCNN_DATA"
        )
    folder = Path(chosen).expanduser()
    if not folder.is_dir():
        other = other_format(folder)
        what = "not a folder" if folder.exists() else "no such folder"
        what += f", and{other}" if other and folder.exists() else ""
        raise DataError(
            f"{folder}: {what}; give the folder that contains {name} as data_dir (--data-dir)"
        )
    folder = _named(folder, name)
    return cifar10(folder) if name == "cifar10" else idx_images(name, folder)


def _named(folder: Path, name: str) -> Path:
    """The subfolder `name`, in any case and with or without dashes, or `folder` if absent."""
    plain = lambda text: re.sub("[-_. ]", "", text).lower()
    try:
        inner = [path for path in sorted(folder.iterdir()) if plain(path.name) == plain(name)]
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from None
    return next((path for path in [folder / name, *inner] if path.is_dir()), folder)
