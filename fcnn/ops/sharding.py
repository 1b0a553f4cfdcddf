"""Sharding by the letters of the equation, on meshes with explicit axes.

`jax.make_mesh` makes explicit axes, which are part of an array's type. On such a mesh, nearly every
step of an operator would have to state the sharding of its result. An operator of fcnn states the
sharding of its outputs once, by its annotations: in

    conv: x "n *size c", w "*window c_per_group o"  ->  y "n *out o"

y is sharded along n as x is, and along o as w is. Every cotangent is sharded as its argument.
Inside the operator, XLA chooses shardings. Residuals have no letters, so the arguments are saved,
and the backward pass repeats the forward pass. If both passes are in one program, XLA removes the
repetition. If they are in two loops, as in a scan over layers, the forward pass runs twice.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from types import UnionType
from typing import Any, get_args, get_origin

import jax
from jax import Array
from jax.sharding import AbstractMesh, AxisType, NamedSharding, PartitionSpec

from fcnn.ops.validation import named, require


def over_mesh(op: Any, arrays: tuple[Array | None, ...]) -> Any:
    """`Sharded(op)` if some of the arrays lie on a mesh with explicit axes, else `op`.

    Raises: ValueError if the arrays lie on several such meshes.
    """
    mesh = explicit_mesh(arrays)
    return op if mesh is None else Sharded(op, mesh)


def explicit_mesh(arrays: Iterable[Array | None]) -> AbstractMesh | None:
    """The mesh with explicit axes on which some of the arrays lie, or None.

    Raises: ValueError if the arrays lie on several such meshes.
    """
    meshes = [jax.typeof(a).sharding.mesh for a in arrays if a is not None]
    meshes = list(dict.fromkeys(mesh for mesh in meshes if _explicit(mesh)))
    shapes = " and ".join(str(dict(mesh.shape)) for mesh in meshes)
    require(len(meshes) < 2, f"arrays lie on different meshes, {shapes}; use one")
    return meshes[0] if meshes else None


def automatically(run: Callable, mesh: AbstractMesh, specs: Any) -> Callable:
    """`run` as one step, inside which XLA shards, and whose outputs have the sharding `specs`."""

    def entered(*args):
        with jax.sharding.use_abstract_mesh(mesh):
            axes = _explicit(mesh)
            return jax.sharding.auto_axes(run, axes=axes, out_sharding=specs)(*args)

    return entered


def with_cotangents_like(
    specs: tuple[PartitionSpec | None, ...], mesh: AbstractMesh, run: Callable, *args: Any
) -> tuple[Any, ...]:
    """The cotangents that run(*args) returns, each with the sharding of its argument in `specs`."""
    cotangents = jax.eval_shape(run, *jax.tree.map(_unsharded, args))
    each = zip(specs, cotangents, strict=True)
    of_outputs = tuple(None if g is None else spec for spec, g in each)
    return automatically(run, mesh, of_outputs)(*args)


def of_batch(x: Array) -> NamedSharding | None:
    """A value for `out_sharding`: the first axis sharded as in x, the other axes replicated."""
    sharding = jax.typeof(x).sharding
    if _explicit(sharding.mesh):
        return NamedSharding(sharding.mesh, PartitionSpec(*sharding.spec[:1]))
    return None


def replicated(x: Array) -> NamedSharding | None:
    """A value for `out_sharding`: no axis sharded, on the mesh of x."""
    mesh = jax.typeof(x).sharding.mesh
    return NamedSharding(mesh, PartitionSpec()) if _explicit(mesh) else None


def letters(annotation: Any, rank: int) -> Iterator[str]:
    """The letter of each axis of an array, by its annotation, or "..." if the annotation has none.

    If one letter stands for several axes, these axes are numbered.
    """
    options = (annotation, *get_args(annotation))  # as in Float[...] | Float[...] | None
    texts = [each.dim_str for each in options if hasattr(each, "dim_str")]
    names = next((names for text in texts if _fits(names := text.split(), rank)), ["..."])
    for name in names:
        letter = name.lstrip("#*").removesuffix("_per_group")
        if _is_many(name):
            axes = range(rank - len(names) + 1)
            plain = len(axes) == 1 and name != "..."
            yield from (letter if plain else f"{letter}[{i}]" for i in axes)
        else:
            yield letter


def _fits(names, rank):
    return len(names) == rank or any(map(_is_many, names))


def _is_many(name):
    return name == "..." or name.startswith("*")


@dataclass(frozen=True)
class Sharded:
    """An operator on a mesh with explicit axes."""

    op: Any
    mesh: AbstractMesh

    @property
    def name(self) -> str:
        return self.op.name

    def forward(self, *arrays, **options):
        run = partial(self.op.forward, **options)
        y = jax.eval_shape(run, *map(_unsharded, arrays))
        return automatically(run, self.mesh, self._of_outputs(arrays, y))(*arrays)

    def fwd_rule(self, *arrays, **options):
        return self.forward(*arrays, **options), arrays

    def bwd_rule(self, arrays, dy, **options):
        def run(arrays, dy):
            _, saved = self.op.fwd_rule(*arrays, **options)
            return self.op.bwd_rule(saved, dy, **options)

        specs = tuple(None if a is None else jax.typeof(a).sharding.spec for a in arrays)
        return with_cotangents_like(specs, self.mesh, run, arrays, dy)

    def _of_outputs(self, arrays, y):
        """The sharding of each output: an axis is sharded as the arguments shard its letter."""
        outputs, structure = jax.tree.flatten(y)
        annotations = _of_each(self.op.signature.return_annotation, len(outputs))
        names = [tuple(letters(a, y.ndim)) for a, y in zip(annotations, outputs, strict=True)]
        given = self._given(arrays)
        with named(self.op.name):
            self._require_apart(given, names)
        each = zip(outputs, names, strict=True)
        return structure.unflatten(self._spec(y.shape, of_y, given) for y, of_y in each)

    def _given(self, arrays):
        """letter -> the mesh axes that shard it, and the first argument in which it is sharded."""
        given = {}
        for name, a in zip(self.op.arrays, arrays, strict=True):
            if a is not None:
                of_a = letters(self.op.signature.parameters[name].annotation, a.ndim)
                for letter, axes in zip(of_a, jax.typeof(a).sharding.spec, strict=True):
                    if axes is not None:
                        axes = axes if isinstance(axes, tuple) else (axes,)
                        given.setdefault(letter, (axes, name))
        return given

    def _require_apart(self, given, names):
        """ValueError if a mesh axis shards two letters of an output, or the batch and a letter."""
        batch = names[0][0] if names and names[0] else None
        for one, two in itertools.combinations(given, 2):
            (axes, first), (others, second) = given[one], given[two]
            shared = [axis for axis in axes if axis in others]
            together = batch in (one, two) or any({one, two} <= {*of_y} for of_y in names)
            require(
                not (shared and together),
                f"mesh axes {shared} shard both {one} of {first} and {two} of "
                f"{second}; gather {second} first: write jax.sharding.reshard({second}, jax.P()) "
                "under jax.set_mesh",
            )

    def _spec(self, shape, names, given):
        """The sharding of one output.

        An axis is replicated if the mesh does not divide its size, as may happen for glu, whose
        output has half as many features as x. A second axis of the same letter is replicated too.
        """
        first = [name in given and name not in names[:i] for i, name in enumerate(names)]
        axes = [given[name][0] if new else () for name, new in zip(names, first, strict=True)]
        fits = lambda axes, size: size % math.prod(self.mesh.shape[a] for a in axes) == 0
        each = zip(axes, shape, strict=True)
        return PartitionSpec(*(axes if fits(axes, size) else () for axes, size in each))


def _explicit(mesh: AbstractMesh) -> tuple[str, ...]:
    """The explicit axes of the mesh, which are part of an array's type."""
    kinds = zip(mesh.axis_names, mesh.axis_types, strict=True)
    return tuple(name for name, kind in kinds if kind == AxisType.Explicit)


def _of_each(annotation, outputs):
    """The annotation of each output; None for all if there are more or fewer annotations."""
    options = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    for option in options:  # one array, or with an option of the operator several
        if get_origin(option) is tuple and len(get_args(option)) == outputs:
            annotation = option
    if get_origin(annotation) is tuple:
        each = get_args(annotation)
        each = each[:1] * outputs if each[1:] == (...,) else each
    else:
        fields = getattr(annotation, "_fields", None)  # of a named tuple
        each = [annotation.__annotations__[f] for f in fields] if fields else [annotation] * outputs
    return each if len(each) == outputs else [None] * outputs


def _unsharded(a):
    return None if a is None else jax.ShapeDtypeStruct(a.shape, a.dtype)
