"""Examples on the device: steps read their batches inside one compiled loop."""

from typing import Any

import jax
from jax.sharding import NamedSharding, PartitionSpec

from fcnn.layers.spec import as_arrays
from fcnn.ops.validation import named
from fcnn.training.batch import as_dict
from fcnn.training.sources.source import Source, facts, read, shards


def on_device(examples: Any) -> Source:
    """Source of arrays on the device: steps read their batches inside one compiled loop.

    Shapes: each array has the n examples along its first axis.
    Options:
        examples: a pair (x, y) or a dict of arrays. Arrays that are sharded over a mesh stay so.
    Raises: TypeError if an entry does not hold numbers; ValueError if lengths differ or are 0.
    Cost:   memory on the device for all examples.

    >>> fcnn.training.on_device((np.zeros((100, 8, 8, 1), np.uint8), np.zeros(100, np.int32)))
    Source(100 examples of x uint8(8, 8, 1), y int32())
    """
    with named("on_device"):
        arrays = {name: as_arrays(name, a) for name, a in as_dict("examples", examples).items()}
        length, spec = facts(arrays)
    where = jax.tree.leaves(arrays)[0].sharding
    take = lambda indices: read(arrays, indices)
    return Source(length, spec, take, arrays, _home(where), shards(where))


def _home(where):
    """Replication over the mesh, or the device, of arrays with this sharding."""
    if isinstance(where, NamedSharding):
        return NamedSharding(where.mesh, PartitionSpec())
    return where
