"""Sequences of different lengths as one array, with padding at the end, and their lengths."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from fcnn.ops.validation import named, require, require_counts, require_flags, require_integers

LEAST, MOST = np.iinfo(np.int32).min, np.iinfo(np.int32).max


def padded(
    sequences: Iterable[Any], *, length: int | None = None, pad: int = 0, truncate: bool = False
) -> dict[str, np.ndarray]:
    """Sequences of ids as one array x, and their lengths, which models read.

    Models ignore what is beyond the lengths, so `pad` may be the id of a token, such as byte 0.

    Shapes: n sequences (t_i,) -> {"x": (n, t) int32, "lengths": (n,) int32}, t = length.
    Options:
        sequences: arrays or lists of ids, such as those of `Vocabulary.encode`. An empty sequence
            has length 0.
        length: of x; that of the longest sequence, at least 1, if None.
        pad: id of padding.
        truncate: whether to cut longer sequences at `length`; otherwise they are an error.
    Raises: ValueError for a sequence longer than `length`, or without one axis, and for no
            sequences; TypeError for ids that are not integers, or a str.
    Cost:   memory for x; `buckets` makes smaller arrays of it.
    Source: none.

    >>> batch = fcnn.data.text.padded([[5, 2, 9], [7]])
    >>> batch["x"], batch["lengths"]
    (array([[5, 2, 9],
           [7, 0, 0]], dtype=int32), array([3, 1], dtype=int32))
    >>> examples = batch | {"y": np.array([0, 1])}  # for fcnn.training.fit
    """
    with named("padded"):
        require_counts(**({} if length is None else {"length": length}))
        require_integers(pad=pad)
        require(LEAST <= pad <= MOST, f"pad {pad} does not fit in int32")
        require_flags(truncate=truncate)
        arrays = [_ids(i, ids) for i, ids in enumerate(sequences)]
        require(len(arrays) > 0, "there are no sequences")
        lengths = np.array([len(ids) for ids in arrays])
        longest = int(lengths.argmax())
        t = max(1, int(lengths[longest])) if length is None else length
        if lengths[longest] > t and not truncate:
            what = f"sequences[{longest}] has {lengths[longest]} ids, more than length {t}"
            cut = f"write truncate=True to cut {(lengths > t).sum()} of {len(arrays)} sequences"
            raise ValueError(f"{what}; {cut}, or length={lengths[longest]}")
    lengths = np.minimum(lengths, t)
    x = np.full((len(arrays), t), pad, np.int32)
    for row, ids, end in zip(x, arrays, lengths, strict=True):
        row[:end] = ids[:end]
    return {"x": x, "lengths": lengths.astype(np.int32)}


def _ids(i, given):
    if isinstance(given, str):
        write = "[vocabulary.encode(text) for text in texts]"
        raise TypeError(f"sequences[{i}] is a str, not ids; write {write}")
    ids = np.asarray(given)
    require(ids.ndim == 1, f"sequences[{i}] {ids.shape} needs 1 axis, of ids")
    if ids.dtype.kind not in "iu" and ids.size:
        raise TypeError(f"sequences[{i}] holds {ids.dtype}, not integers")
    if ids.size and not (LEAST <= ids.min() and ids.max() <= MOST):
        raise ValueError(f"sequences[{i}] holds ids that do not fit in int32")
    return ids
