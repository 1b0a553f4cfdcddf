"""Sources of examples: a length, a spec, and `take(indices) -> batch`.

on_device(examples)        arrays on the device: an epoch is a compiled loop
from_host(examples)        arrays of NumPy, also memory-mapped: each batch is copied to the device
from_indexable(examples)   anything with len and [i], such as a data set of torch or Grain
sharded(source, mesh)      batches whose examples are sharded over a mesh

Training reads examples by position, so that a run can be continued at any step. A source reads the
next batch while the device computes the step before.
"""

from fcnn.training.sources.as_source import as_source
from fcnn.training.sources.from_host import from_host
from fcnn.training.sources.from_indexable import from_indexable
from fcnn.training.sources.on_device import on_device
from fcnn.training.sources.sharded import sharded
from fcnn.training.sources.source import Source, read, require_like

__all__ = [
    "Source",
    "as_source",
    "from_host",
    "from_indexable",
    "on_device",
    "read",
    "require_like",
    "sharded",
]
