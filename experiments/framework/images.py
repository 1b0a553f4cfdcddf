"""Images of an experiment: the data set that the options name, and background around its images."""

import hashlib

import numpy as np

from experiments.framework.options import Options
from fcnn.data import Dataset, Images, load


def loaded(config: Options) -> Dataset:
    """The data set that the options name.

    Raises: DataError, a ValueError, if it cannot be read.
    """
    return load(config.dataset or "digits", config.data_dir)


def framed(images: Images, frame: int) -> Images:
    """Add `frame` pixels of background around every image; a shift then cuts off fewer pixels."""
    return Images(np.pad(images.x, ((0, 0), (frame, frame), (frame, frame), (0, 0))), images.y)


def smaller(data: Dataset, train: int = 100, test: int = 50) -> Dataset:
    """The first images of a data set, for --smoke."""
    first = lambda images, n: Images(images.x[:n], images.y[:n])
    return data._replace(train=first(data.train, train), test=first(data.test, test))


def identity(images: Images) -> str:
    """The number of images, and a hash of them and their labels: for the field `data` of a record.

    >>> identity(Images(np.zeros((2, 1, 1, 1)), np.array([0, 1])))
    '2 training images, sha256 013f21dd7052786e'
    """
    digest = hashlib.sha256(images.x.tobytes() + images.y.tobytes()).hexdigest()
    return f"{len(images.y):,} training images, sha256 {digest[:16]}"
