"""Sources of examples: a length, a spec, and `take(indices) -> batch`.

on_device(examples)        arrays on the device: an epoch is a compiled loop
from_host(examples)        arrays of NumPy, also memory-mapped: each batch is copied to the device
from_indexable(examples)   anything with len and [i], such as a data set of torch or Grain
sharded(source, mesh)      batches whose examples are sharded over a mesh

Training reads examples by position, so that a run can be continued at any step. A source reads the
next batch while the device computes the step before.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec, Sharding

from fcnn.layers.spec import as_arrays
from fcnn.ops.arrays import as_array
from fcnn.ops.sharding import of_batch, replicated
from fcnn.ops.validation import named, require
from fcnn.training.batch import Batch, as_dict

DEVICE_BYTES = 2**30  # largest size of arrays that are copied to the device as a whole


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

    def __repr__(self) -> str:
        each = (f"{name} {described(spec)}" for name, spec in self.spec.items())
        return f"Source({self.length:,} examples of {', '.join(each)})"


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
        length, spec = _facts(arrays)
    where = jax.tree.leaves(arrays)[0].sharding
    take = lambda indices: read(arrays, indices)
    return Source(length, spec, take, arrays, _home(where), _shards(where))


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
        arrays = {name: _on_host(name, a) for name, a in as_dict("examples", examples).items()}
        length, spec = _facts(arrays)

    def take(indices: np.ndarray) -> Batch:
        return {name: _taken(name, a, indices) for name, a in arrays.items()}

    return Source(length, spec, take)


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
    spec = _facts(take(np.zeros(1, int)))[1]
    return Source(len(examples), spec, take)


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


def as_source(what: str, given: Any) -> Source:
    """`given` as a source: arrays of at most DEVICE_BYTES are copied to the device.

    Raises: TypeError if `given` is no source, pair or dict; the message shows what to write.
    """
    if isinstance(given, Source):
        return given
    kind = type(given).__name__
    expected = f"{what} must be a pair (x, y), a dict with x, or a source"
    for part in ("train", "test"):
        if hasattr(given, part) and not isinstance(given, tuple) or _is_dataset(given):
            raise TypeError(f"{expected}, not {kind}; write data.train, where data is the {kind}")
    if not isinstance(given, dict) and not (isinstance(given, tuple) and len(given) == 2):
        write = "from_indexable(examples)"
        if isinstance(given, list):
            write = f"(np.array(x), np.array(y)), or {write}"
        elif hasattr(given, "dataset"):
            write = "from_indexable(loader.dataset), which has positions"
        elif hasattr(given, "shape"):
            write = '(x, y), or {"x": x} for a loss that reads x only'
        elif not hasattr(type(given), "__getitem__"):
            write += ", of examples with len and [i]: without positions, it could not be continued"
        raise TypeError(f"{expected}, not {kind}; write {write}")
    with named(what):
        entries = as_dict(what, given)
        host = {name: _on_host(name, a) for name, a in entries.items()}
        _facts(host)
    small = sum(a.nbytes for a in jax.tree.leaves(host)) <= DEVICE_BYTES
    return on_device(host) if small else from_host(host)


def read(arrays: Any, indices: Any) -> Any:
    """The examples with these indices, from a pytree of arrays.

    On a mesh with explicit axes they are sharded like `arrays`, or replicated if the number of
    indices cannot be sharded so.
    """

    def one(a):
        where = of_batch(a)
        if where is None:
            return a[indices]
        if indices.shape[0] % _shards(where):
            where = replicated(a)
        return a.at[indices].get(out_sharding=where)

    return jax.tree.map(one, arrays)


def described(spec: Any) -> str:
    """dtype and shape of a spec: float32(28, 28)."""
    if hasattr(spec, "shape"):
        return f"{spec.dtype}{tuple(spec.shape)}"
    return type(spec).__name__


def _is_dataset(given):
    return isinstance(given, tuple) and {"train", "test"} <= {*getattr(given, "_fields", ())}


def _on_host(name, given):
    """The pytree `given` with arrays as leaves, which are not copied."""

    def convert(path, a):
        if isinstance(a, np.ndarray) and not isinstance(a, np.ma.MaskedArray):
            as_array(f"{name}{jax.tree_util.keystr(path)}", a[:1] if a.ndim else a)
            return a
        return as_array(f"{name}{jax.tree_util.keystr(path)}", a)

    is_leaf = lambda a: isinstance(a, list) or a is None
    return jax.tree_util.tree_map_with_path(convert, given, is_leaf=is_leaf)


def _facts(arrays: Batch) -> tuple[int, Batch]:
    """Number of examples, and the spec of one example."""
    lengths = {}
    for name, tree in arrays.items():
        leaves = jax.tree.leaves(tree)
        require(bool(leaves), f"{name} has no array")
        for a in leaves:
            require(a.ndim > 0, f"{name} is one number, without an axis of examples")
            lengths.setdefault(a.shape[0], name)
    if len(lengths) > 1:
        (n, name), (m, other), *_ = lengths.items()
        one = "; a single example needs a batch axis: write x[None]" if 1 in lengths else ""
        raise ValueError(f"{name} has {n} examples, but {other} has {m}{one}")
    (n,) = lengths
    require(n > 0, "0 examples; at least 1 is needed")
    one_of = lambda a: jax.ShapeDtypeStruct(a.shape[1:], jax.dtypes.canonicalize_dtype(_native(a)))
    return n, jax.tree.map(one_of, dict(arrays))


def _native(a):
    dtype = a.dtype.newbyteorder("=") if isinstance(a, np.ndarray) else a.dtype
    return np.float64 if dtype == np.longdouble else dtype


def _taken(name, tree, indices):
    def one(a):
        part = a[indices]
        same = part.dtype.isnative and jax.dtypes.canonicalize_dtype(_native(part)) == part.dtype
        return part if same else as_array(name, part)

    return jax.tree.map(one, tree)


def _example(examples, i):
    with named("from_indexable"):
        entries = as_dict(f"example {i}", examples[i])
    return {name: jax.tree.map(np.asarray, a) for name, a in entries.items()}


def _require_shapes(i, example, first):
    for name, tree in first.items():
        require(name in example, f"example {i} has no {name}")
        shapes = [a.shape for a in jax.tree.leaves(tree)]
        found = [a.shape for a in jax.tree.leaves(example[name])]
        if found != shapes:
            raise ValueError(f"{name} of example {i} is {found[0]}, but of example 0 {shapes[0]}")


def _home(where):
    """Replication over the mesh, or the device, of arrays with this sharding."""
    if isinstance(where, NamedSharding):
        return NamedSharding(where.mesh, PartitionSpec())
    return where


def _shards(where):
    """The number of parts into which a sharding cuts the first axis."""
    if not isinstance(where, NamedSharding) or not where.spec or where.spec[0] is None:
        return 1
    axes = where.spec[0] if isinstance(where.spec[0], tuple) else (where.spec[0],)
    return math.prod(where.mesh.shape[axis] for axis in axes)
