"""Validation of the window of a layer."""

from typing import Any

from fcnn.layers.call import Spec
from fcnn.ops.validation import require, require_counts


def require_window(window: Any) -> None:
    """TypeError or ValueError unless `window` is a tuple of positive integers."""
    if not isinstance(window, tuple):
        raise TypeError(f"window {window!r} needs one entry per spatial axis, as in (3, 3)")
    for k in window:
        require_counts(**{"each entry of window": k})


def require_rank(window: tuple[int, ...], x: Spec) -> None:
    """ValueError unless x has an axis for each entry of `window`, and an axis of channels."""
    axes = f"{len(window)} spatial axes" if len(window) > 1 else "1 spatial axis"
    needs = f"needs {axes} for window {window}, and an axis of channels"
    batch = "; shapes are without the batch axis" if len(x.shape) == len(window) + 3 else ""
    require(len(x.shape) == len(window) + 2, f"input {x.shape[1:]} {needs}{batch}")
