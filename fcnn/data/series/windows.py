"""Windows of a series: `length` steps as the input x, and the `horizon` steps after them as y."""

from typing import Any

import numpy as np

from fcnn.data.series.values import as_columns, chosen
from fcnn.ops.validation import named, require, require_counts


def windows(
    series: Any, *, length: int, horizon: int = 1, stride: int = 1, targets: Any = None
) -> dict[str, np.ndarray]:
    """Windows x of `length` steps, and the `horizon` steps that follow each of them, y.

        x[i, j] = series[i stride + j]        y[i, k] = series[i stride + length + k, targets]

    A model with one output per example, such as `fcnn.models.lstm(hidden, classes=horizon)` for one
    target, needs targets without the last axis: write batch | {"y": batch["y"][..., 0]}.

    Shapes: series (t,), which has 1 column, or (t, c)
            -> {"x": (n, length, c), "y": (n, horizon, targets)},
            n = 1 + (t - length - horizon) // stride.
    Options:
        series: floats (t,) or (t, c). Take windows of each part of `split`, so that none crosses
            it.
        length: steps of x.
        horizon: steps of y.
        stride: distance of the starts of windows.
        targets: column, or columns, of y, counted from 0; all if None.
    Units:  those of the series.
    Raises: ValueError if the series has fewer than length + horizon steps, other axes, or a value
            that is not finite, or if it lacks a column; TypeError if it does not hold floats.
    Cost:   x and y are read-only views of the series, or of a copy of the targets.
            `fcnn.training.fit` copies them to the device at their full size if they have at most
            1 GiB: with stride 1, length + horizon times that of the series.
    Source: none.

    >>> series = np.array([[0.0, 0.5], [1.0, 1.5], [2.0, 2.5], [3.0, 3.5]])
    >>> batch = fcnn.data.series.windows(series, length=2, targets=1)
    >>> batch["x"].shape, batch["y"].shape
    ((2, 2, 2), (2, 1, 1))
    >>> batch["y"][..., 0]
    array([[2.5],
           [3.5]])
    """
    with named("windows"):
        require_counts(length=length, horizon=horizon, stride=stride)
        a = as_columns(series)
        columns = chosen(targets, a.shape[1])
        least = f"length {length} and horizon {horizon} need at least {length + horizon}"
        require(a.shape[0] >= length + horizon, f"series has {a.shape[0]} steps; {least}")
    x = _views(a[: a.shape[0] - horizon], length, stride)
    y = _views(a[length:] if targets is None else a[length:, columns], horizon, stride)
    return {"x": x, "y": y}


def _views(a, length, stride):
    """All windows of a (t, c): (n, length, c)."""
    return np.lib.stride_tricks.sliding_window_view(a, length, axis=0)[::stride].transpose(0, 2, 1)
