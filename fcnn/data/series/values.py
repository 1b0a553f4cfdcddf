"""A series as an array (t, c) of finite floats, and the columns that a caller names."""

from typing import Any

import numpy as np

from fcnn.ops.arrays import is_float
from fcnn.ops.validation import require, require_integers


def as_columns(series: Any) -> np.ndarray:
    """`series` (t,) or (t, c) as (t, c).

    Raises: TypeError unless it holds floats; ValueError for other axes, no values, or a value that
            is not finite, with its index and column.
    """
    if isinstance(series, np.ma.MaskedArray):
        raise TypeError("series is a masked array; fill it: write series.filled(value)")
    a = np.asarray(series)
    require(a.ndim in (1, 2), f"series {a.shape} needs 1 or 2 axes, (t,) or (t, c)")
    require(a.size > 0, f"series {a.shape} has no values")
    if not is_float(a):
        raise TypeError(f"series holds {a.dtype}, not floats; write series.astype(np.float32)")
    a = a[:, None] if a.ndim == 1 else a
    wrong = np.argwhere(~np.isfinite(a))
    if wrong.size:
        i, column = wrong[0].tolist()
        what = f"series is {a[i, column]} at index {i}, column {column}"
        raise ValueError(f"{what}; fill it, or leave its steps out")
    return a


def chosen(targets: Any, columns: int) -> list[int]:
    """The targets as positions of columns: all for None, and one for an integer.

    Raises: TypeError unless they are integers; ValueError for one that is no column, or for none.
    """
    if targets is None:
        return list(range(columns))
    given = tuple(targets) if isinstance(targets, tuple | list) else (targets,)
    require_integers(targets=given)
    require(len(given) > 0, "targets is empty; write targets=0, or None for all columns")
    for i in given:
        require(0 <= i < columns, f"targets has {i}, but the columns are 0 to {columns - 1}")
    return [int(i) for i in given]
