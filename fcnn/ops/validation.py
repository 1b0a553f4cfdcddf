"""Validation of arguments by static facts, before any arithmetic, with one-line error messages.

A message begins with the argument: "x (4, 3) needs ...". `named` puts the name of the function in
front of it, once: `Op.__call__` does so for operators, and layers write `with named("dense"):`.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer


class named:
    """Context that puts "name: " in front of the message of a ValueError or TypeError.

    In nested contexts only the innermost name is added. Errors of other types, such as JAX's own
    subclasses, are unchanged.

    >>> with named("dense"):
    ...     require(False, "w (3,) needs 2 axes")
    Traceback (most recent call last):
    ValueError: dense: w (3,) needs 2 axes
    """

    def __init__(self, name: str):
        self.name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Replace the message in place: the error keeps its traceback, and its cause."""
        if error is not None and kind in (ValueError, TypeError):
            match error.args:
                case (str(message), *rest) if not isinstance(message, Named):
                    error.args = (Named(f"{self.name}: {message}"), *rest)


class Named(str):
    """A message with a name in front."""


def require(condition: bool | np.bool_, message: str) -> None:
    """ValueError with `message` unless `condition` holds."""
    if not condition:
        raise ValueError(message)


def did_you_mean(name: object, known: Iterable[str], otherwise: str = "") -> str:
    """The end of an error message on an unknown name: the most similar of `known`, if any."""
    plain = {re.sub("[-_ ]", "", each).lower(): each for each in known}
    near = get_close_matches(re.sub("[-_ ]", "", str(name)).lower(), plain, n=1)
    return f"; did you mean {plain[near[0]]}?" if near else otherwise


def require_floats(**arrays: Array | None) -> None:
    """TypeError unless all arrays that are not None hold floats of one dtype."""
    given = {k: a.dtype for k, a in arrays.items() if a is not None}
    for k, dtype in given.items():
        if not jnp.issubdtype(dtype, jnp.floating):
            floats = f"{k}.real" if jnp.issubdtype(dtype, jnp.complexfloating) else k
            advice = f"write {floats}.astype(jnp.float32)"
            advice += f", or for pixels {k}.astype(jnp.float32) / 255" if dtype == jnp.uint8 else ""
            raise TypeError(f"{k} holds {dtype}, not floats; {advice}")
    if len(set(given.values())) > 1:
        kinds = ", ".join(f"{k} {dtype}" for k, dtype in given.items())
        advice = _in_one_dtype(given)
        raise TypeError(f"one dtype is needed, but got {kinds}; write {advice}")


def _in_one_dtype(given: dict[str, Any]) -> str:
    """The casts to the most frequent dtype, or to the last one of equally frequent dtypes."""
    dtypes = list(given.values())
    most = max(reversed(dtypes), key=dtypes.count)
    one = next(k for k, dtype in given.items() if dtype == most)
    return ", ".join(f"{k}.astype({one}.dtype)" for k, dtype in given.items() if dtype != most)


def require_integers(**values: object) -> None:
    """TypeError unless every option is an integer, or a sequence of integers."""
    for k, v in values.items():
        if not all(map(_is_integer, v if isinstance(v, tuple) else (v,))):
            raise TypeError(f"{k} {v!r} must be an integer")


def require_counts(**values: Any) -> None:
    """TypeError unless every option is an integer; ValueError unless it is at least 1."""
    for k, v in values.items():
        if not _is_integer(v):
            raise TypeError(f"{k} {v!r} must be an integer")
        require(v >= 1, f"{k} {v} must be at least 1")


def require_flags(**values: object) -> None:
    """TypeError unless every option is True or False."""
    for k, v in values.items():
        if not isinstance(v, bool):
            raise TypeError(f"{k} {v!r} must be True or False")


def require_key(key: Any) -> None:
    """TypeError unless `key` is one random key, typed or as raw uint32."""
    if not (hasattr(key, "dtype") and hasattr(key, "shape")):
        seed = key if _is_integer(key) else 0
        raise TypeError(f"key {key!r:.60} is not a random key; write jax.random.key({seed})")
    new = jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.shape == ()
    if not (new or (key.dtype == jnp.uint32 and key.shape == (2,))):
        holds = f"key holds {key.dtype}{key.shape}, not one random key"
        raise TypeError(f"{holds}; write jax.random.key(0)")


def require_numbers(**values: object) -> None:
    """TypeError unless every option is a static real number."""
    for k, v in values.items():
        if isinstance(v, Tracer):
            raise TypeError(f"{k} must be a static number, not a traced one")
        if not isinstance(v, Real) or isinstance(v, bool):
            raise TypeError(f"{k} {v!r} must be a number")


def require_rank(rank: int, **arrays: Array) -> None:
    """ValueError unless every array has at least `rank` axes."""
    axes = "axis" if rank == 1 else "axes"
    for k, a in arrays.items():
        require(a.ndim >= rank, f"{k} {a.shape} needs at least {rank} {axes}")


def require_axis(axis: object, **arrays: Array) -> None:
    """TypeError unless `axis` is an integer; ValueError unless every array has that axis."""
    if not isinstance(axis, int):
        raise TypeError(f"axis {axis!r} must be an integer")
    for k, a in arrays.items():
        require(-a.ndim <= axis < a.ndim, f"{k} {a.shape} has no axis {axis}")


def _is_integer(value):
    return isinstance(value, Integral) and not isinstance(value, bool)
