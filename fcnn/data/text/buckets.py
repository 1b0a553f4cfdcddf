"""Buckets: examples in groups of similar length, each padded only to the longest of its group.

A program is compiled for each shape of x, so a few buckets are better than a length of its own for
each batch. `fcnn.training.fit` reads one shape: train on buckets by `train_step`, as below.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fcnn.ops.validation import named, require, require_counts


class Buckets(NamedTuple):
    """Examples in groups of similar length.

    Options:
        parts: a dict of arrays for each bucket, from short to long.
        indices: for each bucket, the positions of its examples in the whole.
        padding: share of the positions of all x that are padding, from 0 to 1.
    """

    parts: list[dict[str, np.ndarray]]
    indices: list[np.ndarray]
    padding: float

    def __repr__(self) -> str:
        shapes = ", ".join(str(part["x"].shape) for part in self.parts)
        return f"Buckets(x {shapes}; {self.padding:.1%} padding)"


def buckets(
    examples: Mapping[str, Any],
    *,
    count: int | None = None,
    boundaries: Sequence[int] | None = None,
    entries: Sequence[str] = ("x",),
) -> Buckets:
    """Group padded examples by length, and cut each group to its longest example.

    With `count`, the lengths of x are those with the least padding in all. Rare long examples then
    have a bucket of their own, which may be small. Examples keep their order within a bucket.

    Shapes: x (n, t, ...), lengths (n,), y (n, ...) -> for each bucket x (m, length, ...),
            lengths (m,), y (m, ...).
    Options:
        examples: padded examples, as those of `padded` with labels y.
        count: largest number of buckets.
        boundaries: the lengths of x of all buckets instead, rising; one without examples is left
            out.
        entries: names of the entries with positions along axis 1, which are cut: ("x", "y") for
            one label per position.
    Raises: ValueError unless exactly one of `count` and `boundaries` is given, boundaries rise and
            reach the longest example, and the entries fit together; TypeError for other kinds.
    Cost:   each part is a copy. One program is compiled for each bucket. With `count`, time grows
            with count l² for l different lengths: 0.1 s for 8 and 1000.
    Source: none.

    >>> import optax
    >>> examples = fcnn.data.text.padded([[1], [2, 1], [1, 1], [2, 2, 2, 2, 2]])
    >>> examples |= {"y": np.array([0, 0, 0, 1])}
    >>> found = fcnn.data.text.buckets(examples, count=2)
    >>> found
    Buckets(x (3, 2), (1, 5); 9.1% padding)
    >>> layers, training, sgd = fcnn.layers, fcnn.training, optax.sgd(0.1)
    >>> model = layers.serial(layers.embedding(3, 4), layers.global_avg_pool(), layers.dense(2))
    >>> train_state = training.create(model, sgd, (5,), jax.random.key(0))
    >>> step = jax.jit(training.train_step(model, fcnn.softmax_cross_entropy, sgd))
    >>> for epoch in range(2):
    ...     for part in found.parts:  # with many examples, batches of each part
    ...         train_state, results = step(train_state, part)
    >>> train_state.step
    Array(4, dtype=int32)
    """
    with named("buckets"):
        arrays = _arrays(examples)
        x, lengths = arrays["x"], arrays["lengths"]
        for name in entries:
            require(name in arrays, f"examples has no entry {name!r}; it has {', '.join(arrays)}")
            fits = arrays[name].shape[:2] == x.shape[:2]
            require(fits, f"{name} {arrays[name].shape} has no positions of x {x.shape} to cut")
        require((count is None) != (boundaries is None), "write count=4, or boundaries=(16, 64)")
        ends = (
            _least_padding(lengths, count) if boundaries is None else _ends(boundaries, lengths, x)
        )
    of = np.searchsorted(ends, lengths)
    parts, indices = [], []
    for i in np.unique(of):
        chosen = np.flatnonzero(of == i)
        parts.append(
            {k: a[chosen, : ends[i]] if k in entries else a[chosen] for k, a in arrays.items()}
        )
        indices.append(chosen)
    positions = sum(part["x"].shape[0] * part["x"].shape[1] for part in parts)
    return Buckets(parts, indices, 1 - float(lengths.sum()) / positions)


def _arrays(examples):
    """The entries of examples as arrays, of one number of examples."""
    if not isinstance(examples, Mapping):
        write = 'write padded(sequences) | {"y": labels}'
        raise TypeError(f"examples is a {type(examples).__name__}, not a dict; {write}")
    arrays = {name: np.asarray(a) for name, a in examples.items()}
    for name in ("x", "lengths"):
        require(name in arrays, f"examples has no entry {name!r}; write padded(sequences)")
    x, lengths = arrays["x"], arrays["lengths"]
    require(x.ndim >= 2 and x.size > 0, f"x {x.shape} needs examples and positions (n, t)")
    for name, a in arrays.items():
        require(a.shape[:1] == x.shape[:1], f"x {x.shape} and {name} {a.shape} differ in axis 0")
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu":
        raise TypeError(f"lengths {lengths.shape} {lengths.dtype} must be integers (n,)")
    least, most = lengths.min(), lengths.max()
    fits = least >= 0 and most <= x.shape[1]
    require(fits, f"lengths {least} to {most} must lie between 0 and the {x.shape[1]} of x")
    return arrays


def _least_padding(lengths, count):
    """The at most `count` lengths of x for which the examples need the fewest positions.

    With lengths l[1] < l[2] < ..., and n[j] examples of length l[j] or less, the examples of the
    first j lengths need this many positions in k buckets, of which the last begins after i:

        positions[k, j] = min over i < j of positions[k - 1, i] + (n[j] - n[i]) l[j]
    """
    require_counts(count=count)
    ends, numbers = np.unique(np.maximum(1, lengths), return_counts=True)
    n = np.concatenate([[0], np.cumsum(numbers)])
    positions = np.where(np.arange(n.size) == 0, 0.0, np.inf)  # in no bucket
    starts = []
    for _ in range(min(count, ends.size)):
        of = [positions[:j] + (n[j] - n[:j]) * ends[j - 1] for j in range(1, n.size)]
        starts.append([0, *(int(each.argmin()) for each in of)])
        positions = np.array([0.0, *(each.min() for each in of)])
    found, j = [], ends.size
    for before in reversed(starts):
        if j > 0:
            found.append(ends[j - 1])
            j = before[j]
    return np.array(found[::-1])


def _ends(boundaries, lengths, x):
    require_counts(**{f"boundaries[{i}]": end for i, end in enumerate(boundaries)})
    ends = np.array(boundaries, int)
    require(ends.size > 0 and (np.diff(ends) > 0).all(), f"boundaries {boundaries} must rise")
    longest = int(lengths.argmax())
    advice = f"write {lengths[longest]} as the last one"
    what = f"boundaries end at {ends[-1]}, but example {longest} has length {lengths[longest]}"
    require(ends[-1] >= lengths[longest], f"{what}; {advice}")
    what = f"boundaries end at {ends[-1]}, beyond the {x.shape[1]} positions of x"
    require(ends[-1] <= x.shape[1], f"{what}; write {x.shape[1]} as the last one")
    return ends
