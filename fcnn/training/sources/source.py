"""The record of a source, and the facts that all sources derive from their arrays."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding, Sharding

from fcnn.ops.arrays import as_array
from fcnn.ops.sharding import of_batch, replicated
from fcnn.ops.validation import named, require, require_counts
from fcnn.training.batch import Batch, common_length


@dataclass(frozen=True)
class Source:
    """Examples that are read by position.

    Options:
        length: number of examples.
        spec: shapes and dtypes of one example, without a batch axis: a dict of
            jax.ShapeDtypeStruct, or of pytrees of these.
        take: function of (n,) integer indices -> batch.
        arrays: all examples on the device, if compiled programs read them from there.
        home: the sharding of the state of training that fits the batches; None if any does.
        shards: number of devices that share a batch; it divides the batch size.

    >>> draw = lambda indices: {"x": np.sin(indices)[:, None], "y": np.cos(indices)[:, None]}
    >>> one = jax.ShapeDtypeStruct((1,), float)
    >>> source = fcnn.training.Source(length=1000, spec={"x": one, "y": one}, take=draw)
    """

    length: int
    spec: Batch
    take: Callable[[np.ndarray], Batch]
    arrays: Batch | None = None
    home: Sharding | None = None
    shards: int = 1

    def __post_init__(self):
        """Errors of a source of one's own."""
        with named("Source"):
            require_counts(length=self.length)
            if not isinstance(self.spec, Mapping) or "x" not in self.spec:
                write = 'write {"x": jax.ShapeDtypeStruct((28, 28, 1), float)}'
                raise TypeError(f"spec {self.spec!r:.60} is not a dict with x; {write}")
            for name, tree in self.spec.items():
                for a in jax.tree.leaves(tree):
                    if not (hasattr(a, "shape") and hasattr(a, "dtype")):
                        write = "write jax.ShapeDtypeStruct(shape, dtype)"
                        raise TypeError(f"spec: {name} {a!r:.60} is no spec of an array; {write}")
            if not callable(self.take):
                raise TypeError(f"take {self.take!r:.60} is not a function of indices")

    def __repr__(self) -> str:
        each = (f"{name} {described(spec)}" for name, spec in self.spec.items())
        return f"Source({self.length:,} examples of {', '.join(each)})"


def read(arrays: Any, indices: Any) -> Any:
    """The examples with these indices, from a pytree of arrays.

    On a mesh with explicit axes they are sharded like `arrays`, or replicated if the number of
    indices cannot be sharded so.
    """

    def one(a):
        where = of_batch(a)
        if where is None:
            return a[indices]
        if indices.shape[0] % shards(where):
            where = replicated(a)
        return a.at[indices].get(out_sharding=where)

    return jax.tree.map(one, arrays)


def require_like(spec: Batch, batch: Any, n: int) -> None:
    """ValueError unless a batch that a source made has n examples like `spec`."""
    if not isinstance(batch, Mapping) or {*batch} != {*spec}:
        found = ", ".join(map(str, batch)) if isinstance(batch, Mapping) else type(batch).__name__
        raise ValueError(f"take returns {found}, but the spec has {', '.join(spec)}")
    for name, tree in spec.items():
        pairs = zip(jax.tree.leaves(tree), jax.tree.leaves(batch[name]), strict=True)
        for one, a in pairs:
            if a.shape != (n, *one.shape) or a.dtype != one.dtype:
                expected = f"{one.dtype}{(n, *one.shape)}"
                raise ValueError(f"take: {name} is {a.dtype}{a.shape}, expected {expected}")


def described(spec: Any) -> str:
    """dtype and shape of a spec: float32(28, 28)."""
    if hasattr(spec, "shape"):
        return f"{spec.dtype}{tuple(spec.shape)}"
    return type(spec).__name__


def facts(arrays: Batch) -> tuple[int, Batch]:
    """Number of examples, and the spec of one example."""
    for name, tree in arrays.items():
        require(bool(jax.tree.leaves(tree)), f"{name} has no array")
    n = common_length(arrays)
    require(n > 0, "0 examples; at least 1 is needed")
    one_of = lambda a: jax.ShapeDtypeStruct(a.shape[1:], device_dtype(a))
    return n, jax.tree.map(one_of, dict(arrays))


def on_host(name, given):
    """The pytree `given` with arrays as leaves, which are not copied."""

    def convert(path, a):
        if isinstance(a, np.ndarray) and not isinstance(a, np.ma.MaskedArray):
            as_array(f"{name}{jax.tree_util.keystr(path)}", a[:1] if a.ndim else a)
            return a
        return as_array(f"{name}{jax.tree_util.keystr(path)}", a)

    is_leaf = lambda a: isinstance(a, list) or a is None
    return jax.tree_util.tree_map_with_path(convert, given, is_leaf=is_leaf)


def shards(where):
    """The number of parts into which a sharding cuts the first axis."""
    if not isinstance(where, NamedSharding) or not where.spec or where.spec[0] is None:
        return 1
    axes = where.spec[0] if isinstance(where.spec[0], tuple) else (where.spec[0],)
    return math.prod(where.mesh.shape[axis] for axis in axes)


def device_dtype(a: Any) -> Any:
    """The dtype of an array on the device: in native byte order, narrowed by JAX's settings."""
    dtype = a.dtype.newbyteorder("=") if isinstance(a, np.ndarray) else a.dtype
    return jax.dtypes.canonicalize_dtype(np.float64 if dtype == np.longdouble else dtype)
