"""Windows of a real series in time order, and the error of forecasts in the series' units.

    x[i, j] = z[i + j] - z[i + L - 1]          j = 0 .. L - 1: the window
    y[i, k] = z[i + L + k] - z[i + L - 1]      k = 0 .. H - 1: the horizon
    naive[i, k] = value[i + L + k - season]

z is the series, or its logarithm, scaled by its training part. Differences from the last value of
the window carry over to levels that the training part does not have (Zeng et al. 2023, NLinear).
The first half of the series is for training, the next quarter for validation, the last for test. No
window crosses a split.
"""

from typing import NamedTuple

import numpy as np

from experiments.framework.files_of_data import Files, found
from fcnn.data import DataError, Images, series as steps


class Series(NamedTuple):
    """A series and what is forecast of it. `season`, `length` and `horizon` count its steps."""

    name: str
    file: str
    column: str
    unit: str
    step: str
    season: int  # at least the horizon
    length: int  # of the window, at least a season
    horizon: int
    log: bool = False  # forecast as a logarithm, since its variation grows with its level


OIL = Series("oil temperature", "ETTh1.csv", "OT", "degrees Celsius", "hour", 24, 48, 24)


class Windows(NamedTuple):
    """Windows of one part. Shapes: x (n, length, 1), y, truth and naive (n, horizon)."""

    x: np.ndarray
    y: np.ndarray
    truth: np.ndarray
    naive: np.ndarray
    last: np.ndarray  # (n, 1): z at the end of the window
    scaling: steps.Scaling
    log: bool

    @property
    def examples(self) -> Images:
        return Images(self.x.astype(np.float32), self.y.astype(np.float32))

    def values(self, outputs: np.ndarray) -> np.ndarray:
        """Forecasts in the series' units, of a network's outputs (..., n, horizon)."""
        z = outputs.astype(np.float64) + self.last
        values = self.scaling.invert(z[..., None])[..., 0]
        return np.exp(values) if self.log else values

    def errors(self, outputs: np.ndarray) -> np.ndarray:
        """Mean absolute error over windows and horizon. Shapes: (seeds, n, horizon) -> (seeds,)."""
        return np.abs(self.values(outputs) - self.truth).mean((1, 2))

    @property
    def naive_error(self) -> float:
        return float(np.abs(self.naive - self.truth).mean())

    @property
    def last_error(self) -> float:
        """The error of the last value of the window, repeated: of outputs that are 0."""
        return float(self.errors(np.zeros_like(self.y)[None])[0])


class Parts(NamedTuple):
    train: Windows
    validation: Windows
    test: Windows


def read(series: Series, config: Files) -> Parts:
    """The windows of a series; with --smoke, of a short generated one.

    Raises: DataError, a ValueError, if the file is missing or damaged.
    """
    if config.smoke:
        return split(_generated(series), series)
    path = found(series.file, config.data_dir)
    values = steps.read_csv(path, [series.column]).values[:, 0]
    if series.log and values.min() <= 0:
        what = f"{series.column} has the value {values.min():g}, which has no logarithm"
        raise DataError(f"{path}: {what}; write the original file again")
    parts = split(values, series)
    if not all(part.naive_error > 0 < part.last_error for part in parts):
        what = f"a forecast of {series.column} without training has no error"
        raise DataError(f"{path}: {what}; write the original file again")
    return parts


def split(values: np.ndarray, series: Series) -> Parts:
    """Training, validation and test windows of the values (t,), in time order."""
    parts = steps.split(values, validation=0.25, test=0.25)
    scaling = steps.Scaling.fit(_transformed(parts[0], series))
    return Parts(*(_windows(part, series, scaling) for part in parts))


def _windows(values: np.ndarray, series: Series, scaling: steps.Scaling) -> Windows:
    both = steps.windows(values, length=series.length, horizon=series.horizon)
    x, y = (scaling.apply(_transformed(both[name], series)) for name in ("x", "y"))
    last, start = x[:, -1], series.length - series.season
    naive = both["x"][:, start : start + series.horizon, 0]
    differences = x - last[:, None], y[..., 0] - last
    return Windows(*differences, both["y"][..., 0], naive, last, scaling, series.log)


def _transformed(values: np.ndarray, series: Series) -> np.ndarray:
    return np.log(values) if series.log else values


def _generated(series: Series) -> np.ndarray:
    """A noisy wave, of which each part has some windows."""
    time = np.arange(6 * (series.length + series.horizon))
    noise = np.random.default_rng(0).normal(0, 0.1, time.size)
    return 5 + np.sin(2 * np.pi * time / series.season) + noise
