"""Split of a series by time: training first, then validation, then test."""

from typing import Any

import numpy as np

from fcnn.ops.validation import named, require, require_integers, require_numbers


def split(
    series: Any, *, validation: float = 0.1, test: float = 0.2, gap: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split a series into (train, validation, test): consecutive parts, the last ones for test.

    Make scaling and windows of the parts afterwards: then no window of one part has a step of
    another one. Each part needs enough steps for a window and its targets.

    Shapes: (t, ...) -> train, (t - v - s - 2 gap, ...), validation, (v, ...), and test, (s, ...),
            v and s = the shares of t, rounded.
    Options:
        series: an array with time along the first axis: values, or their dates.
        validation: share of steps in validation, between 0 and 1.
        test: share of steps in test, between 0 and 1.
        gap: steps left out before validation and before test, so that their first steps are less
            similar to the last ones of the part before.
    Units:  those of the series.
    Raises: ValueError if a share is not between 0 and 1, gap is negative, or a part would be empty;
            TypeError if the series is not an array, or for options of other kinds.
    Cost:   the parts are views, without a copy.
    Source: none.

    >>> train, validation, test = fcnn.data.series.split(np.arange(10.0))
    >>> train, validation, test
    (array([0., 1., 2., 3., 4., 5., 6.]), array([7.]), array([8., 9.]))
    """
    with named("split"):
        require_numbers(validation=validation, test=test)
        for name, share in (("validation", validation), ("test", test)):
            require(0 < share < 1, f"{name} {share} must lie between 0 and 1")
        require_integers(gap=gap)
        require(gap >= 0, f"gap {gap} must be at least 0")
        if not hasattr(series, "shape"):
            kind = type(series).__name__
            raise TypeError(f"series is a {kind}, not an array; write np.array(series)")
        a = np.asarray(series)
        require(a.ndim > 0, "series () has no axis of time")
        t = a.shape[0]
        v, s = (int(share * t + 0.5) for share in (validation, test))
        n = t - v - s - 2 * gap
        parts = f"{n} training, {v} validation and {s} test steps"
        gaps = f" and gap {gap}" if gap else ""
        what = f"shares {validation} and {test} of {t} steps{gaps} give {parts}"
        require(min(n, v, s) > 0, f"{what}; each part needs one")
    return a[:n], a[n + gap : n + gap + v], a[t - s :]
