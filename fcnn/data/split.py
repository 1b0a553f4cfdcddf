"""Random split of training examples into a training part and a validation part."""

from typing import Any

import jax
import numpy as np

from fcnn.data.dataset import Dataset
from fcnn.ops.sharding import replicated
from fcnn.ops.validation import (
    named,
    require,
    require_flags,
    require_integers,
    require_numbers,
)


def split(
    examples: Any, share: float = 0.1, *, seed: int = 0, stratify: bool = True
) -> tuple[Any, Any]:
    """Split `examples` at random into (train, validation), with `share` of them in validation.

    Both parts have the type of `examples`: a pair (x, y), an `Images` or a dict of arrays. Each
    example is in one part, and each part keeps the order of its examples. The split depends on the
    seed, the number of examples and the labels only.

    If y holds integer labels (n,), each class is split in the same proportion by the method of the
    largest remainder: validation has the whole part of `share` times the examples of a class, and
    the rest goes to the classes with the largest remainders, at random among equal ones.

    Shapes: n examples -> train, of n - m, and validation, of m = share n, rounded.
    Options:
        examples: a pair (x, y) or a dict of arrays with the examples along the first axis.
        share: the share of validation examples, between 0 and 1.
        seed: seed of the random split, at least 0.
        stratify: whether to split each class of integer labels in the same proportion.
    Units:  those of `examples`.
    Raises: ValueError if share is not between 0 and 1, lengths differ, an array has no axes, seed
            is negative, or a part would be empty; TypeError if `examples` is a Dataset or of
            another kind, share is not a number, seed not an integer, or stratify not a bool.
    Cost:   both parts are copies, which together are as large as `examples`: NumPy arrays and
            memory maps are copied to memory, JAX arrays on their device. The labels are copied once
            more to stratify. For a file larger than memory, split {"index": np.arange(n), "y": y}.
    Source: largest remainder: Hamilton's method of apportionment, 1792.

    >>> x, y = np.zeros((20, 8, 8, 1)), np.repeat([0, 1], [16, 4])
    >>> train, validation = fcnn.data.split((x, y), 0.25)
    >>> train[1], validation[1]
    (array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1]), array([0, 0, 0, 0, 1]))
    """
    with named("split"):
        require_numbers(share=share)
        require(0 < share < 1, f"share {share} must lie between 0 and 1")
        require_integers(seed=seed)
        require(seed >= 0, f"seed {seed} must be at least 0")
        require_flags(stratify=stratify)
        given = _entries(examples)
        arrays = {name: _as_array(name, a) for name, a in given.items()}
        n = _length(arrays)
        m = int(share * n + 0.5)
        parts = f"{n - m} training and {m} validation examples"
        require(0 < m < n, f"share {share} of {n} examples gives {parts}; each part needs one")
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    y = arrays.get("y")
    labels = stratify and y is not None and y.ndim == 1 and y.dtype.kind in "iu"
    in_validation = np.zeros(n, bool)
    in_validation[_stratified(order, np.asarray(y), m, rng) if labels else order[:m]] = True
    train, validation = (
        {name: _rows(a, np.flatnonzero(chosen)) for name, a in arrays.items()}
        for chosen in (~in_validation, in_validation)
    )
    return _like(examples, train), _like(examples, validation)


def _stratified(order: np.ndarray, y: np.ndarray, m: int, rng: np.random.Generator) -> np.ndarray:
    """m of the indices in `order`, with each class of y in proportion by the largest remainder."""
    by_class = order[np.argsort(y[order], kind="stable")]
    first, counts = np.unique(y[by_class], return_index=True, return_counts=True)[1:]
    taken, remainders = divmod(m * counts, len(y))
    largest = np.lexsort((rng.permutation(len(counts)), -remainders))  # at random among equal ones
    taken[largest[: m - taken.sum()]] += 1
    rank = np.arange(len(y)) - np.repeat(first, counts)  # within the class
    return by_class[rank < np.repeat(taken, counts)]


def _entries(examples: Any) -> dict[str, Any]:
    match examples:
        case Dataset():
            raise TypeError("examples is a Dataset; write data.train")
        case dict():
            require(len(examples) > 0, "examples is an empty dict; write {'x': x, 'y': y}")
            return examples
        case tuple((x, y)):
            return {"x": x, "y": y}
    raise TypeError(
        f"examples is a {type(examples).__name__}, not a pair or dict of arrays; write (x, y)"
    )


def _like(examples: Any, part: dict[str, Any]) -> Any:
    """The arrays of `part` in the type of `examples`."""
    if isinstance(examples, dict):
        return part
    make = getattr(type(examples), "_make", tuple)
    return make(part.values())


def _as_array(name: str, given: Any) -> Any:
    try:
        a = given if isinstance(given, jax.Array) else np.asanyarray(given)
    except ValueError:
        raise ValueError(f"{name} is not an array: its rows have different lengths") from None
    require(a.ndim > 0, f"{name} {a.shape} has no axis of examples")
    return a


def _length(arrays: dict[str, Any]) -> int:
    """The common number of examples."""
    lengths = {name: a.shape[0] for name, a in arrays.items()}
    (first, n), *others = lengths.items()
    for name, other in others:
        require(other == n, f"{first} holds {n} examples but {name} holds {other}")
    return n


def _rows(a: Any, indices: np.ndarray) -> Any:
    """A copy of the rows of `a`."""
    if isinstance(a, jax.Array):
        return a.at[indices].get(out_sharding=replicated(a))
    return a[indices]
