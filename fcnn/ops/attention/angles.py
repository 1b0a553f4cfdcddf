"""Angles of position encodings: one angle for each position and each pair of features.

angle[t,i] = t / base^(2 i / c)        for position t and the i-th of c / 2 pairs
"""

import math
from typing import Any

import jax.numpy as jnp
from jax import Array

from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.validation import require, require_numbers


def angles(positions: Array | None, x: Array, c: int, base: float) -> Array:
    """The angles (*positions, c / 2), in float32 at least; positions 0 .. t - 1 if None."""
    positions = jnp.arange(x.shape[1]) if positions is None else positions
    dtype = accumulation_dtype(x.dtype)
    frequency = jnp.asarray(base, dtype) ** (-jnp.arange(0, c, 2, dtype=dtype) / max(1, c))
    angle = positions.astype(dtype)[..., None]
    return angle * frequency.reshape((1,) * positions.ndim + (-1,))


def require_positions(x: Array, positions: Array | None) -> None:
    """Raise an error unless `positions` are integers, (t,) or (n, t), or None."""
    if positions is not None:
        if not jnp.issubdtype(positions.dtype, jnp.integer):
            hold = f"positions hold {positions.dtype}, not integers"
            raise TypeError(f"{hold}; write positions.astype(int)")
        fits = positions.shape in (x.shape[1:2], x.shape[:2])
        require(fits, f"positions {positions.shape} need {x.shape[1:2]} or {x.shape[:2]}")


def require_base(base: Any) -> None:
    """Raise an error unless `base` is a finite number of at least 1."""
    require_numbers(base=base)
    require(1 <= base < math.inf, f"base {base} must be at least 1 and finite")
