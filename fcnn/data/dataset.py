"""Data sets: images with their labels, for training and for testing."""

from typing import NamedTuple

import numpy as np

from fcnn.ops.validation import did_you_mean

NAMES = ("digits", "mnist", "fashion_mnist", "cifar10")


class DataError(ValueError):
    """Error for a data set that cannot be read: one line, which names the file and a remedy."""


def require_name(name: str) -> None:
    """DataError unless `name` is the name of a data set."""
    if name not in NAMES:
        near = did_you_mean(name, NAMES)
        raise DataError(f"unknown data set {name!r}; expected one of {', '.join(NAMES)}{near}")


class Images(NamedTuple):
    """Images with their labels: a pair (x, y), which `fcnn.training.fit` takes.

    Shapes: x (n, h, w, c) float32, y (n,) int32 labels.
    Units:  x from 0 (background) to 1.
    """

    x: np.ndarray
    y: np.ndarray

    def __repr__(self) -> str:
        each = (f"{name} {a.dtype}{a.shape}" for name, a in self._asdict().items())
        return f"Images({', '.join(each)})"


class Dataset(NamedTuple):
    """Training and test images, and the names of the classes: classes[y] names label y."""

    name: str
    train: Images
    test: Images
    classes: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(h, w, c) of one image."""
        h, w, c = self.train.x.shape[1:]
        return h, w, c

    def __repr__(self) -> str:
        classes = f"{len(self.classes)} classes"
        return f"Dataset({self.name!r}, train={self.train}, test={self.test}, {classes})"
