"""Conversion of arguments to JAX arrays, from JAX and NumPy arrays, lists, numbers and the like."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def as_array(what: str, given: Any) -> jax.Array:
    """Convert `given` to a JAX array in native byte order, with the nearest dtype that JAX has.

    Options:
        what: the name of the argument in error messages, as in "x" or "fit: x".
    Raises: TypeError if `given` does not hold numbers, or is a tuple of arrays; ValueError for
            integers that the dtype cannot hold.
    """
    if isinstance(given, jax.Array):
        return jnp.asarray(given)  # a tracer of jvp or vjp may hold a NumPy array
    if isinstance(given, tuple) and any(isinstance(a, jax.Array) for a in given):
        raise TypeError(
            f"{what} is a tuple of arrays, not one array; write jnp.stack({_name(what)})"
        )
    if isinstance(given, np.ma.MaskedArray):
        raise TypeError(f"{what} is a masked array; write {_name(what)}.filled(0)")
    if isinstance(given, np.ndarray):
        given = _native(what, given)
    try:
        array = jnp.asarray(given)
    except (TypeError, ValueError, OverflowError):
        shown = " ".join(f"{given!r}".split())
        raise TypeError(f"{what} {shown:.80} is not an array of numbers") from None
    if isinstance(given, np.ndarray) and given.dtype.kind in "iu" and given.size:
        least, most, limits = int(given.min()), int(given.max()), jnp.iinfo(array.dtype)
        if most > limits.max:
            raise ValueError(f"{what} holds {most}, too large for {array.dtype}")
        if least < limits.min:
            raise ValueError(f"{what} holds {least}, too small for {array.dtype}")
    return array


def is_float(leaf: Any) -> bool:
    """Whether a leaf holds floats, and so has a gradient: an array of floats, or a Python float."""
    if hasattr(leaf, "dtype"):
        return bool(jnp.issubdtype(leaf.dtype, jnp.floating))
    return type(leaf) is float


def _native(what: str, given: np.ndarray) -> np.ndarray:
    """`given` in native byte order, with floats of at most 64 bits."""
    numbers = jnp.issubdtype(given.dtype, jnp.number) or given.dtype == bool
    if not numbers:
        name, text = _name(what), given.dtype.kind in "US"
        advice = f"write {name}.astype(np.float32)"
        advice += (
            f", or for names of classes np.unique({name}, return_inverse=True)[1]" if text else ""
        )
        raise TypeError(f"{what} holds {'str' if text else given.dtype}, not numbers; {advice}")
    if given.dtype == np.longdouble and given.dtype.itemsize > 8:
        return given.astype(np.float64)
    return given if given.dtype.isnative else given.astype(given.dtype.newbyteorder("="))


def _name(what: str) -> str:
    return what.split()[-1]
