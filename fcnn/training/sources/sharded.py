"""Batches whose examples are sharded over a mesh: data parallel training."""

from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from fcnn.ops.validation import named, require
from fcnn.training.batch import Batch
from fcnn.training.sources.from_host import from_host
from fcnn.training.sources.source import Source


def sharded(source: Any, mesh: Mesh, axis: str | None = None) -> Source:
    """Source whose batches are sharded over the devices of a mesh: data parallel training.

    The state of training is replicated over the mesh unless it is sharded already. Works for meshes
    with automatic and with explicit axes.

    Shapes: the number of devices along `axis` divides the batch size. A batch that it does not
            divide, such as the last one of an evaluation, is replicated.
    Options:
        source: a source, a pair (x, y) or a dict of arrays.
        mesh: a mesh of devices, such as jax.make_mesh((2,), ("data",)).
        axis: name of the mesh axis that shards the examples; the first axis if None.
    Raises: ValueError if the mesh lacks this axis; errors of `from_host`.
    Cost:   per batch, one copy to the devices.

    >>> mesh = jax.make_mesh((1,), ("data",))
    >>> fcnn.training.sharded((np.zeros((100, 28)), np.zeros(100, int)), mesh)
    Source(100 examples of x float32(28,), y int32())
    """
    with named("sharded"):
        if not isinstance(mesh, Mesh):
            write = "write jax.make_mesh((2,), ('data',))"
            raise TypeError(f"mesh {mesh!r:.60} is not a mesh of devices; {write}")
        axis = mesh.axis_names[0] if axis is None else axis
        known = ", ".join(map(repr, mesh.axis_names))
        require(axis in mesh.axis_names, f"axis {axis!r} is not in the mesh; expected {known}")
        host = source if isinstance(source, Source) else from_host(source)

    def take(indices: np.ndarray) -> Batch:
        divides = len(indices) % mesh.shape[axis] == 0
        where = NamedSharding(mesh, PartitionSpec(axis) if divides else PartitionSpec())
        return jax.device_put(host.take(indices), where)

    home = NamedSharding(mesh, PartitionSpec())
    return Source(host.length, host.spec, take, home=home, shards=mesh.shape[axis])
