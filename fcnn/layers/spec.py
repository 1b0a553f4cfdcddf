"""Specs, which are shapes and dtypes: from what a user writes, and through one pass of setup."""

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import jax
import jax.numpy as jnp

from fcnn.layers.call import Plan, Spec
from fcnn.layers.errors import require_read
from fcnn.ops.arrays import as_array
from fcnn.ops.validation import named, require

INTEGERS = ("lengths", "positions")


def as_spec(shape: Any, dtype: Any, batch_size: int = 1) -> Spec:
    """`shape` of one example as a spec with a batch axis.

    Options:
        shape: a tuple of integers, a jax.ShapeDtypeStruct, or a dict or tuple of these.
        dtype: a dtype, or a dict of dtypes for a dict of shapes.
    Raises: TypeError if `shape` is anything else, for example an array.
    """
    if isinstance(shape, Mapping):
        own = lambda k: dtype[k] if isinstance(dtype, Mapping) and k in dtype else _first(dtype)
        return {k: as_spec(part, own(k), batch_size) for k, part in shape.items()}
    if isinstance(shape, jax.ShapeDtypeStruct):
        return jax.ShapeDtypeStruct((batch_size, *shape.shape), shape.dtype)
    if isinstance(shape, tuple | list):
        if all(isinstance(n, Integral) for n in shape):
            require(all(n >= 0 for n in shape), f"shape {tuple(shape)} has a negative size")
            dtype = jax.dtypes.canonicalize_dtype(_first(dtype))
            return jax.ShapeDtypeStruct((batch_size, *shape), dtype)
        if isinstance(shape, tuple) and all(map(_is_shape, shape)):
            parts = (as_spec(part, dtype, batch_size) for part in shape)
            return type(shape)(*parts) if hasattr(shape, "_fields") else tuple(parts)
    array = getattr(shape, "shape", None)
    if array is not None:
        write = f"write {array[1:]}, or x.shape[1:], without the batch"
        raise TypeError(f"shape is an array {array}, not a tuple of integers; {write}")
    write = f"({shape},)" if isinstance(shape, Integral) else "x.shape[1:], without the batch"
    raise TypeError(f"shape {shape!r:.60}, not a tuple of integers; write {write}")


def spec_of_input(name: str, shape: Any, batch_size: int = 1) -> Spec:
    """The spec of a side input, whose dtype follows from its name if `shape` has none.

    Options:
        shape: without the batch axis, as in `as_spec`; or a number, whose spec has no axes.
    """
    kind = name.removeprefix("context_")
    dtype = int if kind in INTEGERS else bool if kind.endswith("mask") else float
    if isinstance(shape, Real) or getattr(shape, "shape", None) == ():
        return jax.eval_shape(lambda: as_array(name, shape))  # a number, the same for all examples
    try:
        return as_spec(shape, dtype, batch_size)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def planned(
    layer: Any,
    shape: Any,
    dtype: Any,
    inputs: Mapping[str, Any],
    batch_size: int = 1,
    **plan: Any,
) -> tuple[Spec, Plan]:
    """The spec of x, and the plan with the specs of the side inputs and other options of `Plan`."""
    with named(layer.name):
        require_read(inputs, layer.reads)
        x = as_spec(shape, layer.input_dtype if dtype is None else dtype, batch_size)
        specs = {name: spec_of_input(name, shape, batch_size) for name, shape in inputs.items()}
    return x, Plan(specs, **plan)


def set_up(layer: Any, x: Spec, plan: Plan) -> tuple[dict, dict, Spec]:
    """One pass of setup, which is traced: specs of params, of state, and of y."""
    y = None

    def made(key):
        nonlocal y  # a traced function returns arrays only
        params, state, y = layer.setup(key, x, plan)
        return params, state

    return *jax.eval_shape(made, jax.eval_shape(lambda: jax.random.key(0))), y


def present(given: Any) -> Any:
    """`given` without the entries of dicts that are None."""
    if not isinstance(given, Mapping):
        return given
    return {k: present(a) for k, a in given.items() if a is not None}


def as_arrays(what: str, given: Any) -> Any:
    """The pytree `given` with arrays as leaves. A list is one array."""

    def convert(path, a):
        return as_array(f"{what}{jax.tree_util.keystr(path)}", a)

    is_leaf = lambda a: isinstance(a, list) or a is None
    return jax.tree_util.tree_map_with_path(convert, given, is_leaf=is_leaf)


def _is_shape(shape):
    return isinstance(shape, tuple | list | Mapping | jax.ShapeDtypeStruct)


def _first(dtype):
    """A dtype, also where a layer of several inputs has one for each."""
    while isinstance(dtype, Mapping):
        dtype = next(iter(dtype.values()), float)
    return jnp.dtype(dtype)
