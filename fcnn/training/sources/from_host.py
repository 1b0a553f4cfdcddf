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

    def take(indices: np.ndarray) -> Batch:
        return {name: _taken(name, a, indices) for name, a in arrays.items()}

    return Source(length, spec, take)


def _taken(name, tree, indices):
    def one(a):
        part = a[indices]
        same = (
            part.dtype.isnative and jax.dtypes.canonicalize_dtype(device_dtype(part)) == part.dtype
        )
        return part if same else as_array(name, part)

    return jax.tree.map(one, tree)
