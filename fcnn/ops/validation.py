"""Validation of arguments by static facts, before any arithmetic, with one-line error messages."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.core import Tracer


def require(condition: bool, message: str) -> None:
    """ValueError with `message` unless `condition` holds."""
    if not condition:
        raise ValueError(message)


def did_you_mean(name: object, known: Iterable[str], otherwise: str = "") -> str:
    """The end of an error message on an unknown name: the most similar of `known`, if any."""
    plain = {re.sub("[-_ ]", "", each).lower(): each for each in known}
    near = get_close_matches(re.sub("[-_ ]", "", str(name)).lower(), plain, n=1)
    return f"; did you mean {plain[near[0]]}?" if near else otherwise


def require_floats(name: str, **arrays: Array | None) -> None:
    """TypeError unless all arrays that are not None hold floats of one dtype."""
    given = {k: a.dtype for k, a in arrays.items() if a is not None}
    for k, dtype in given.items():
        if not jnp.issubdtype(dtype, jnp.floating):
            floats = f"{k}.real" if jnp.issubdtype(dtype, jnp.complexfloating) else k
            do = f"write {floats}.astype(jnp.float32)"
            do += f", or for pixels {k}.astype(jnp.float32) / 255" if dtype == jnp.uint8 else ""
            raise TypeError(f"{name}: {k} holds {dtype}, not floats; {do}")
    if len(set(given.values())) > 1:
        kinds = ", ".join(f"{k} {dtype}" for k, dtype in given.items())
        do = _in_one_dtype(given)
        raise TypeError(f"{name}: one dtype is needed, but got {kinds}; write {do}")


def _in_one_dtype(given: dict[str, Any]) -> str:
    """The casts to the most frequent dtype; of equally frequent ones, to that of the last array."""
    dtypes = list(given.values())
    most = max(reversed(dtypes), key=dtypes.count)
    one = next(k for k, dtype in given.items() if dtype == most)
    return ", ".join(f"{k}.astype({one}.dtype)" for k, dtype in given.items() if dtype != most)


def require_integers(name: str, **values: object) -> None:
    """TypeError unless every option is an integer, or a sequence of integers."""
    for k, v in values.items():
        if not all(map(_is_integer, v if isinstance(v, tuple) else (v,))):
            raise TypeError(f"{name}: {k} {v!r} must be an integer")


def require_counts(name: str, **values: Any) -> None:
    """TypeError unless every option is an integer; ValueError unless it is at least 1."""
    for k, v in values.items():
        if not _is_integer(v):
            raise TypeError(f"{name}: {k} {v!r} must be an integer")
        require(v >= 1, f"{name}: {k} {v} must be at least 1")


def require_flags(name: str, **values: object) -> None:
    """TypeError unless every option is True or False."""
    for k, v in values.items():
        if not isinstance(v, bool):
            raise TypeError(f"{name}: {k} {v!r} must be True or False")


def require_key(name: str, key: Any) -> None:
    """TypeError unless `key` is one random key, typed or as raw uint32."""
    if not (hasattr(key, "dtype") and hasattr(key, "shape")):
        seed = key if _is_integer(key) else 0
        raise TypeError(
            f"{name}: key {key!r:.60} is not a random key; write jax.random.key({seed})"
        )
    new = jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.shape == ()
    if not (new or (key.dtype == jnp.uint32 and key.shape == (2,))):
        holds = f"key holds {key.dtype}{key.shape}, not one random key"
        raise TypeError(f"{name}: {holds}; write jax.random.key(0)")


def require_numbers(name: str, **values: object) -> None:
    """TypeError unless every option is a static real number."""
    for k, v in values.items():
        if isinstance(v, Tracer):
            raise TypeError(f"{name}: {k} must be a static number, not a traced one")
        if not isinstance(v, Real) or isinstance(v, bool):
            raise TypeError(f"{name}: {k} {v!r} must be a number")


def require_rank(name: str, rank: int, **arrays: Array) -> None:
    """ValueError unless every array has at least `rank` axes."""
    for k, a in arrays.items():
        require(a.ndim >= rank, f"{name}: {k} {a.shape} needs at least {rank} axes")


def require_axis(name: str, axis: object, **arrays: Array) -> None:
    """TypeError unless `axis` is an integer; ValueError unless every array has that axis."""
    if not isinstance(axis, int):
        raise TypeError(f"{name}: axis {axis!r} must be an integer")
    for k, a in arrays.items():
        require(-a.ndim <= axis < a.ndim, f"{name}: {k} {a.shape} has no axis {axis}")


def _is_integer(value):
    return isinstance(value, Integral) and not isinstance(value, bool)
