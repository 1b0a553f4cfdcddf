"""How operators refuse bad input: one clear line, from static facts, before any arithmetic."""

from numbers import Integral, Real

import jax.numpy as jnp
from jax import Array


def require(condition: bool, message: str) -> None:
    """ValueError with `message` unless `condition` holds."""
    if not condition:
        raise ValueError(message)


def require_floats(name: str, **arrays: Array | None) -> None:
    """TypeError unless every array given holds floats, all of one dtype."""
    given = {k: a.dtype for k, a in arrays.items() if a is not None}
    for k, dtype in given.items():
        if not jnp.issubdtype(dtype, jnp.floating):
            raise TypeError(f"{name}: {k} holds {dtype}, not floats; write {k}.astype(jnp.float32)")
    if len(set(given.values())) > 1:
        kinds = ", ".join(f"{k} {dtype}" for k, dtype in given.items())
        raise TypeError(f"{name}: one dtype is needed, but got {kinds}")


def require_integers(name: str, **values: object) -> None:
    """TypeError unless every option is an integer, or a sequence of integers."""
    for k, v in values.items():
        if not all(isinstance(i, Integral) for i in (v if isinstance(v, tuple) else (v,))):
            raise TypeError(f"{name}: {k} {v!r} must be an integer, or one per spatial axis")


def require_numbers(name: str, **values: object) -> None:
    """TypeError unless every option is a number."""
    for k, v in values.items():
        if not isinstance(v, Real):
            raise TypeError(f"{name}: {k} {v!r} must be a number")


def require_rank(name: str, rank: int, **arrays: Array) -> None:
    """ValueError unless every array given has at least `rank` axes."""
    for k, a in arrays.items():
        require(a.ndim >= rank, f"{name}: {k} {a.shape} needs at least {rank} axes")


def require_axis(name: str, axis: object, **arrays: Array) -> None:
    """TypeError unless `axis` is an integer, ValueError unless every array given has that axis."""
    if not isinstance(axis, int):
        raise TypeError(f"{name}: axis {axis!r} must be an integer")
    for k, a in arrays.items():
        require(-a.ndim <= axis < a.ndim, f"{name}: {k} {a.shape} has no axis {axis}")
