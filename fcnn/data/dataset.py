"""A data set: images and their classes, to train on and to test on."""

from typing import NamedTuple

import numpy as np


class DataError(ValueError):
    """A data set that cannot be read: one line that names the file and says what to do."""


class Images(NamedTuple):
    """n images with their classes.

    Shapes: x (n, h, w, c) float32, y (n,) int32.
    Units:  x from 0 (background) to 1.
    """

    x: np.ndarray
    y: np.ndarray

    def __repr__(self) -> str:
        each = (f"{name} {a.dtype}{a.shape}" for name, a in self._asdict().items())
        return f"Images({', '.join(each)})"


class Dataset(NamedTuple):
    """Images to train on, others to test on, and the names of the classes."""

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
