"""The rules of a function of pytrees, as rules of arrays, which `registration.py` needs.

    forward(*args), fwd(*args), bwd(saved, dy)      of pytrees
    forward(*leaves), fwd_rule, bwd_rule            of arrays, here

The option `ARGS` holds the structure of the arguments. The leaves of the residuals that are not
arrays, such as shapes and names, are static. On a mesh with explicit axes, each cotangent is
sharded like its argument, and XLA shards the steps of bwd.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from fcnn.ops.arrays import as_array
from fcnn.ops.returned import cotangents, described, require_y_of_forward, y_and_saved
from fcnn.ops.sharding import explicit_mesh, with_cotangents_like
from fcnn.ops.validation import named

ARGS = "*args"  # not an identifier, so no option of a user has this name


@dataclass(frozen=True, eq=False)  # JAX compares rules by identity
class LeafRules:
    """`forward`, `fwd` and `bwd`, functions of pytrees, as functions of leaves.

    rule:     the name of the function bwd in error messages.
    checks_y: whether fwd_rule checks that fwd returns the y of forward; hijax does so itself.
    """

    name: str
    forward_of_trees: Callable
    fwd: Callable
    bwd: Callable
    rule: str
    checks_y: bool = False

    def forward(self, *leaves, **options):
        tree, options = _without_tree(options)
        with _traceable(self.name):
            return self.forward_of_trees(*jax.tree.unflatten(tree, leaves), **options)

    def fwd_rule(self, *leaves, **options):
        tree, given = _without_tree(options)
        with _traceable(self.name):
            returned = self.fwd(*jax.tree.unflatten(tree, leaves), **given)
        with named(self.name):
            y, saved = y_and_saved(returned)
        if self.checks_y:
            forward = lambda *leaves: self.forward(*leaves, **options)
            require_y_of_forward(self.name, y, jax.eval_shape(forward, *leaves))
        saved, structure = jax.tree.flatten(saved)
        arrays = [a for a in saved if hasattr(a, "dtype")]
        others = tuple(_ARRAY if hasattr(a, "dtype") else a for a in saved)
        types = tuple(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in leaves)
        with named(self.name):
            mesh = explicit_mesh(leaves)
        specs = tuple(mesh and jax.typeof(a).sharding.spec for a in leaves)
        return y, (arrays, _Static(structure, others, types, mesh, specs))

    def bwd_rule(self, saved, dy, **options):
        arrays, static = saved
        dy = jax.tree.map(lambda a: a if is_inexact(a) else None, dy)
        run = lambda arrays, dy: self._bwd(arrays, static, dy, **options)
        if static.mesh is None:
            return run(arrays, dy)
        return with_cotangents_like(static.specs, static.mesh, run, arrays, dy)

    def _bwd(self, arrays, static, dy, **options):
        tree, options = _without_tree(options)
        arrays = iter(arrays)
        leaves = [next(arrays) if a is _ARRAY else a for a in static.others]
        with _traceable(self.name):
            returned = self.bwd(jax.tree.unflatten(static.structure, leaves), dy, **options)
        with named(self.name):
            return tuple(self._cotangents(tree, static.types, returned))

    def _cotangents(self, tree, types, returned):
        """The cotangent of each leaf."""
        parts = tree.children()
        names = argument_names(self.forward_of_trees, parts)
        if len(parts) == 1 and returned is not None and not isinstance(returned, tuple | list):
            returned = (returned,)
        given = cotangents(names, returned, self.rule)
        each = []
        for name, part, g in zip(names, parts, given, strict=True):
            found = _leaves_of(part, g)
            if found is None:
                of_part = part.unflatten(types[len(each) : len(each) + part.num_leaves])
                raise ValueError(
                    f"{self.rule} returns {described(g)} for {name}; return the structure of "
                    f"{name}, {described(of_part)}, with None for a leaf without a gradient"
                )
            each += found
        paths, _ = jax.tree.flatten_with_path(jax.tree.unflatten(tree, types))
        for (path, of), g in zip(paths, each, strict=True):
            no_gradient = g is None or not is_inexact(of)
            yield None if no_gradient else self._cotangent(leaf_name(names, path), of, g)

    def _cotangent(self, name, of, given):
        """`given` as the cotangent of the leaf `name` of type `of`."""
        given = as_array(f"d{name}", given)
        if given.shape != of.shape:
            raise ValueError(
                f"{self.rule} returns d{name} {given.shape} for {name} {of.shape}; "
                f"return one entry for each entry of {name}"
            )
        if given.dtype != of.dtype and not jax.typeof(given).weak_type:
            raise TypeError(
                f"{self.rule} returns d{name} in {given.dtype} for {name} in {of.dtype}; "
                f"write d{name}.astype({name}.dtype)"
            )
        return given.astype(of.dtype)


def argument_names(f: Callable, args: Any) -> tuple[str, ...]:
    """The names of the positional arguments `args` of f; "argument 0" for an unnamed one."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        parameters = ()
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return tuple(named[i] if i < len(named) else f"argument {i}" for i in range(len(args)))


def leaf_name(names: tuple[str, ...], path: Any) -> str:
    """The name of a leaf: the argument's name, then the keys of the leaf, as in params/conv1/w."""
    first, *rest = path
    keys = [str(getattr(k, "key", getattr(k, "name", getattr(k, "idx", k)))) for k in rest]
    return "/".join([names[first.idx], *keys])


def is_inexact(a: Any) -> bool:
    """Whether an array, or a type, holds floats or complex numbers, and so has a gradient."""
    return bool(jnp.issubdtype(a.dtype, jnp.inexact))


class _Array:
    """Placeholder of an array among residuals."""


_ARRAY = _Array()


@jax.tree_util.register_static
@dataclass(frozen=True)
class _Static:
    """The residuals without their arrays, and the types and shardings of the arguments' leaves."""

    structure: Any
    others: tuple[Any, ...]
    types: tuple[jax.ShapeDtypeStruct, ...]
    mesh: Any
    specs: tuple[Any, ...]


def _leaves_of(part, given):
    """The cotangent, or None, of each leaf of an argument; None if the structures differ."""
    if given is None:
        return [None] * part.num_leaves
    try:
        found = part.flatten_up_to(given)
    except (ValueError, TypeError):
        return None
    return found if all(jax.tree.structure(g).num_nodes == 1 for g in found) else None


def _without_tree(options):
    options = dict(options)
    return options.pop(ARGS), options


@contextmanager
def _traceable(name: str) -> Iterator[None]:
    """Replace JAX's error on NumPy functions by one line."""
    try:
        yield
    except jax.errors.TracerArrayConversionError as error:
        raise TypeError(
            f"{name}: computes in NumPy, which JAX cannot trace; call NumPy by jax.pure_callback"
        ) from error
