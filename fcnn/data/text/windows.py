"""Windows of a long text for language models: ids x, and y, the id that follows each of them."""

from typing import Any

import numpy as np

from fcnn.ops.validation import named, require, require_counts


def windows(ids: Any, length: int, *, stride: int | None = None) -> dict[str, np.ndarray]:
    """Windows x of `length` ids, and the next id of each position y, for language models.

        x[i, j] = ids[i stride + j]        y[i, j] = ids[i stride + j + 1]

    With stride = length, each id but the first is a target once. A rest at the end, shorter than a
    stride, is in no window.

    Shapes: ids (t,) -> {"x": (n, length), "y": (n, length)},
            n = 1 + (t - 1 - length) // stride.
    Options:
        ids: integers (t,), such as those of `Vocabulary.encode`. Take windows of each part of
            `split`, so that none crosses it.
        length: ids of a window.
        stride: distance of the starts of windows; `length` if None.
    Raises: ValueError if `ids` has fewer than length + 1 entries, or has not one axis; TypeError if
            `ids` does not hold integers.
    Cost:   x and y are read-only views of `ids`. `fcnn.training.fit` copies them to the device at
            their full size if they have at most 1 GiB: with stride 1, length times that of `ids`.
    Source: none.

    >>> batch = fcnn.data.text.windows(np.arange(8), 3)
    >>> batch["x"]
    array([[0, 1, 2],
           [3, 4, 5]])
    >>> batch["y"]
    array([[1, 2, 3],
           [4, 5, 6]])
    """
    with named("windows"):
        require_counts(length=length, **({} if stride is None else {"stride": stride}))
        if isinstance(ids, str):
            raise TypeError("ids is a str; write vocabulary.encode(text)")
        array = np.asarray(ids)
        require(array.ndim == 1, f"ids {array.shape} needs 1 axis")
        if array.dtype.kind not in "iu" and array.size:
            raise TypeError(f"ids holds {array.dtype}, not integers")
        least = f"windows of length {length} need at least {length + 1}"
        require(array.shape[0] > length, f"ids {array.shape}: {least}")
    of_both = np.lib.stride_tricks.sliding_window_view(array, length + 1)[:: stride or length]
    return {"x": of_both[:, :-1], "y": of_both[:, 1:]}
