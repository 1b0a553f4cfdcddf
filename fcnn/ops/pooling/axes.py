"""A linear map of a grid that works along one spatial axis after the other.

    y[n,p,q,..,c] = sum_{i,j,..} A[p,i] B[q,j] .. x[n,i,j,..,c]

Its adjoint has Aᵀ, Bᵀ, .. in place of A, B, ..: that is the gradient of each operator made of it.
Every place reads a whole row of its axis, most of it times 0: infinities and NaN, which 0 does not
silence, spread along it.
"""

from collections.abc import Iterable
from functools import reduce
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from fcnn.ops.contraction import accumulation_dtype, contract
from fcnn.ops.validation import require, require_floats, require_rank
from fcnn.ops.window import per_axis


def along_axes(x: Array, matrices: Iterable[np.ndarray]) -> Array:
    """x (n, *size, c) times one matrix (m, size) per spatial axis: (n, *m, c)."""

    def step(y, matrix):  # the first spatial axis is summed, and comes back last
        return contract(y, jnp.asarray(matrix, y.dtype), over=((1,), (1,)))

    return jnp.moveaxis(
        reduce(step, matrices, x.astype(accumulation_dtype(x.dtype))), 1, -1
    ).astype(x.dtype)


def size_per_axis(x: Array, size: Any, name: str = "size") -> tuple[int, ...]:
    """`size` as one positive integer per spatial axis of x."""
    return per_axis(name, x.ndim - 2, "size", size)


def validate_grid(name: str, x: Array) -> None:
    """Raise unless x is a grid of floats with cells in it."""
    require_floats(name, x=x)
    require_rank(name, 3, x=x)
    require(0 not in x.shape[1:-1], f"{name}: x {x.shape} has no cells")
