"""Learning curves: means over the last steps, and the steps until a value is reached.

A result with steps has the entries `steps`, of each seed or None, and `all_steps`, of the training.
"""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

import numpy as np


def moving_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Means over `window` steps. Shapes: (seeds, steps) -> (seeds, steps - window + 1)."""
    return np.lib.stride_tricks.sliding_window_view(values, window, axis=1).mean(-1, np.float64)


def steps_to(target: float, values: np.ndarray, window: int, *, falling: bool) -> list[int | None]:
    """Steps until the mean of each seed's last `window` values reaches the target; None if not.

    Options:
        falling: reached from above, as by a loss; otherwise from below, as by an accuracy.
    """
    means = moving_mean(values, window)
    reached = means <= target if falling else means >= target
    return [int(r.argmax()) + window if r.any() else None for r in reached]


def missed(result: Mapping[str, Any]) -> int:
    """The number of seeds that do not reach the value."""
    return result["steps"].count(None)


def least_steps(result: Mapping[str, Any]) -> list[int]:
    """The steps of each seed; all steps, a lower bound, where a seed does not reach the value."""
    return [result["all_steps"] if steps is None else steps for steps in result["steps"]]


def mean_steps(result: Mapping[str, Any]) -> str:
    """The mean of `least_steps` as text, with ≥ if it is a lower bound.

    >>> mean_steps({"steps": [1000, None], "all_steps": 1200})
    '≥ 1,100'
    """
    return f"{'≥ ' if missed(result) else ''}{fmean(least_steps(result)):,.0f}"
