"""Examples of a data set with `len` and `[i]`, such as those of torch and Grain."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from fcnn.layers.spec import as_arrays
from fcnn.ops.validation import named, require
from fcnn.training.batch import Batch, as_dict
from fcnn.training.sources.source import Source, facts


def from_indexable(examples: Any) -> Source:
    """Source of a data set with `len` and `[i]`, for example of torch or Grain.

    Each example is a pair (x, y), or a dict of arrays, numbers or CPU tensors.

    Shapes: all examples have the shapes of the first one.
    Options:
        examples: the data set. An iterable without positions is rejected, since training from it
            could not be continued.
    Raises: TypeError if it lacks `len` or `[i]`; ValueError, during training, for an example of
            another shape.
    Cost:   per batch, one call of `[i]` for each example.

    >>> words = [(np.array([i, i + 1]), i % 2) for i in range(10)]
    >>> fcnn.training.from_indexable(words)
    Source(10 examples of x int32(2,), y int32())
    """
    kind = type(examples)
    if isinstance(examples, Mapping):
        raise TypeError("from_indexable: a dict has no examples by index; write from_host(arrays)")
    if not (hasattr(kind, "__len__") and hasattr(kind, "__getitem__")):
        inner = "loader.dataset" if hasattr(examples, "dataset") else "examples with len and [i]"
        raise TypeError(
            f"from_indexable: a {kind.__name__} has no positions, so training from it could not "
            f"be continued; write from_indexable({inner})"
        )
    require(len(examples) > 0, "from_indexable: 0 examples; at least 1 is needed")

    def take(indices: np.ndarray) -> Batch:
        each = [_example(examples, int(i)) for i in indices]
        with named("from_indexable"):
            for i, example in zip(indices, each, strict=True):
                _require_shapes(int(i), example, first)
            stacked = jax.tree.map(lambda *a: np.stack(a), *each)
            return {name: as_arrays(name, a) for name, a in stacked.items()}

    first = _example(examples, 0)
    spec = facts(take(np.zeros(1, int)))[1]
    return Source(len(examples), spec, take)


def _example(examples, i):
    with named("from_indexable"):
        entries = as_dict(f"example {i}", examples[i])
    return {name: jax.tree.map(np.asarray, a) for name, a in entries.items()}


def _require_shapes(i, example, first):
    extra = [name for name in example if name not in first]
    require(not extra, f"example {i} has {', '.join(map(str, extra))}, but example 0 has not")
    for name, tree in first.items():
        require(name in example, f"example {i} has no {name}")
        shapes = [a.shape for a in jax.tree.leaves(tree)]
        found = [a.shape for a in jax.tree.leaves(example[name])]
        if found != shapes:
            raise ValueError(f"{name} of example {i} is {found[0]}, but of example 0 {shapes[0]}")
