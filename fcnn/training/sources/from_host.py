"""Examples on the host: each batch is copied to the device while the step before is computed."""

from typing import Any

import jax
import numpy as np

from fcnn.ops.arrays import as_array
from fcnn.ops.validation import named
from fcnn.training.batch import Batch, as_dict
from fcnn.training.sources.source import Source, device_dtype, facts, on_host


def from_host(examples: Any) -> Source:
    """Source of arrays on the host, such as memory-mapped files that exceed the memory.

    Shapes: each array has the n examples along its first axis.
    Options:
        examples: a pair (x, y) or a dict of arrays of NumPy.
    Raises: TypeError if an entry does not hold numbers; ValueError if lengths differ or are 0.
    Cost:   per batch, one index into each array, and one copy to the device.

    >>> fcnn.training.from_host((np.zeros((100, 28), np.uint8), np.zeros(100, np.int32)))
    Source(100 examples of x uint8(28,), y int32())
    """
    with named("from_host"):
        arrays = {name: on_host(name, a) for name, a in as_dict("examples", examples).items()}
        length, spec = facts(arrays)

    leaves, structure = jax.tree.flatten(arrays)
    names = [f"{jax.tree_util.keystr(p)}" for p, _ in jax.tree_util.tree_leaves_with_path(arrays)]
    same = [a.dtype.isnative and a.dtype == device_dtype(a) for a in leaves]

    def take(indices: np.ndarray) -> Batch:
        parts = [a[indices] for a in leaves]
        if not all(same):
            parts = [as_array(name, a) for name, a in zip(names, parts, strict=True)]
        return jax.tree.unflatten(structure, parts)

    return Source(length, spec, take)
