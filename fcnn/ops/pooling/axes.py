"""Separable linear maps: one matrix per spatial axis of a grid.

    y[n,p,q,..,c] = sum_{i,j,..} A[p,i] B[q,j] .. x[n,i,j,..,c]

The gradient for x is the adjoint map, with Aᵀ in place of A, Bᵀ in place of B, and so on. Every
output is a sum over all cells along each axis, and most cells are multiplied by 0. Infinities
and NaN therefore spread along the axes: 0 times infinity is NaN.
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
    """Multiply x (n, *size, c) by one matrix (m, size) per spatial axis: (n, *m, c)."""

    def step(y, matrix):  # sums over the first spatial axis and appends m as the last axis
        return contract(y, jnp.asarray(matrix, y.dtype), over=((1,), (1,)))

    return jnp.moveaxis(
        reduce(step, matrices, x.astype(accumulation_dtype(x.dtype))), 1, -1
    ).astype(x.dtype)


def size_per_axis(x: Array, size: Any) -> tuple[int, ...]:
    """`size` as one positive integer per spatial axis of x."""
    return per_axis(x.ndim - 2, "size", size)


def validate_grid(x: Array) -> None:
    """Raise an error unless x is a grid of floats with at least one cell."""
    require_floats(x=x)
    require_rank(3, x=x)
    require(0 not in x.shape[1:-1], f"x {x.shape} has no cells")
