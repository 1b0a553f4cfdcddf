"""Scaling of a series to mean 0 and standard deviation 1, as on its training part:

y = (x - mean) / scale        x = y scale + mean
"""

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from fcnn.data.series.values import as_columns, chosen
from fcnn.ops.arrays import is_float
from fcnn.ops.validation import named, require


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation of each column of a training series.

    `to_json` and `from_json` keep it beside a trained model, without any loss.

    Options:
        mean: one number for each column.
        scale: one number above 0 for each column.
    Raises: ValueError if their numbers differ or are not finite, or a scale is not above 0.

    >>> train, validation, test = fcnn.data.series.split(np.array([1.0, 3, 1, 3, 5, 6, 7]))
    >>> scaling = fcnn.data.series.Scaling.fit(train)
    >>> scaling
    Scaling(mean=(2.0,), scale=(1.0,))
    >>> scaling.apply(test), scaling.invert(scaling.apply(test))
    (array([5.]), array([7.]))
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]

    def __post_init__(self) -> None:
        with named("Scaling"):
            numbers = f"mean has {len(self.mean)} columns and scale {len(self.scale)}"
            require(len(self.mean) == len(self.scale) > 0, f"{numbers}; one of each is needed")
            require(all(map(math.isfinite, self.mean)), f"mean {self.mean} must be finite")
            above = all(math.isfinite(a) and a > 0 for a in self.scale)
            require(above, f"scale {self.scale} must be above 0 and finite")

    @classmethod
    def fit(cls, series: Any) -> "Scaling":
        """The scaling of a training series, floats (t,) or (t, c). A constant column has scale 1.

        Raises: TypeError unless it holds floats; ValueError for other axes, or a value that is not
                finite, with its index and column.
        """
        with named("Scaling.fit"):
            a = as_columns(series).astype(np.float64)
            constant = (a == a[0]).all(0)
            with np.errstate(over="ignore", invalid="ignore"):
                mean, scale = np.where(constant, a[0], a.mean(0)), a.std(0)
            wrong = np.flatnonzero(~np.isfinite(mean + scale))
            require(wrong.size == 0, f"columns {wrong.tolist()} are too large for a variance")
        scale = np.where(constant | (scale == 0), 1, scale)
        return cls(tuple(mean.tolist()), tuple(scale.tolist()))

    def apply(self, x: Any) -> np.ndarray:
        """(x - mean) / scale, in the dtype of x. Columns are along the last axis of x."""
        with named("apply"):
            x = self._values(x)
        return ((x - np.array(self.mean)) / np.array(self.scale)).astype(x.dtype)

    def invert(self, y: Any) -> np.ndarray:
        """y scale + mean: values in the units of the series, as of predictions.

        Use the scaling of the targets for their predictions: scaling.columns(targets).invert(y).
        """
        with named("invert"):
            y = self._values(y)
        return (y * np.array(self.scale) + np.array(self.mean)).astype(y.dtype)

    def columns(self, targets: Any) -> "Scaling":
        """The scaling of some columns, as of the targets of `windows`."""
        with named("columns"):
            positions = chosen(targets, len(self.mean))
        return Scaling(
            tuple(self.mean[i] for i in positions), tuple(self.scale[i] for i in positions)
        )

    def to_json(self) -> str:
        """The scaling as JSON, with all digits."""
        return json.dumps({"mean": self.mean, "scale": self.scale})

    @classmethod
    def from_json(cls, text: str) -> "Scaling":
        """The scaling of which `text` is the JSON.

        Raises: ValueError if `text` is not what `to_json` writes.
        """
        with named("from_json"):
            try:
                given = json.loads(text)
            except ValueError as error:
                raise ValueError(f"text is not JSON: {error}") from None
            match given:
                case {"mean": [*mean], "scale": [*scale]}:
                    if all(type(a) in (int, float) for a in mean + scale):
                        return cls(tuple(map(float, mean)), tuple(map(float, scale)))
            raise ValueError("text is not a scaling; write scaling.to_json()")

    def _values(self, given):
        a = np.asarray(given)
        if not is_float(a):
            raise TypeError(f"array {a.shape} holds {a.dtype}, not floats")
        c = len(self.mean)
        series = a.ndim == 1 and c == 1
        fits = series or (a.ndim > 0 and a.shape[-1] == c)
        require(fits, f"array {a.shape} needs {c} columns, along its last axis")
        return a
