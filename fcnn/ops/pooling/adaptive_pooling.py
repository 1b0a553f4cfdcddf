"""Pooling into as many bins as asked for, whatever the size of the grid; one bin is all of it.

Along an axis of n cells, bin p of m reads the cells from floor(p n / m) to ceil((p + 1) n / m) - 1.
Bins overlap where m does not divide n; every cell is in one.

    average   y[p] = mean_{i in p} x[i] = sum_i A[p,i] x[i]    dx[i] = sum_p A[p,i] dy[p]
    max       y[p] = x[i_p], i_p the first maximum             dx[i] = sum_{p: i_p = i} dy[p]

with A[p,i] = [i in p] / cells in p; more axes have a matrix each. Ties in max go to the first in
row-major order, and NaN wins. Saved are, for max, the numbers i_p; for the average nothing.

Shapes: x (n, *size, c) -> (n, *m, c), m the `size` asked for, an int or one int per axis; the
        global ones leave the spatial axes out.
Units:  those of x.
Raises: ValueError if there are no cells or no bins; TypeError for integers.
Cost:   average: m n multiply-adds along each axis; max: a comparison per cell.
"""

import math
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import Case, Shape, extreme, ints, operator, rejects
from fcnn.ops.pooling.axes import along_axes, size_per_axis, validate_grid
from fcnn.ops.pooling.max_unpool import cell_indices, scatter_add, gather
from fcnn.ops.pooling.pooling import EXTREMES, distinct
from fcnn.ops.window import Axes

X = Float[Array, "n *size c"]
Y = Float[Array, "n *m c"]


@operator()
def global_avg_pool(x: X) -> Float[Array, "n c"]:
    """The mean over all spatial axes. Source: Lin, Chen & Yan 2013."""
    return x.mean(range(1, x.ndim - 1))


@global_avg_pool.fwd
def global_avg_pool_fwd(x):
    return global_avg_pool.forward(x), Shape(x.shape)


@global_avg_pool.bwd
def global_avg_pool_bwd(shape, dy):
    each = dy.astype(accumulation_dtype(dy.dtype)) / math.prod(
        shape[1:-1]
    )  # float16 does not count that far
    each = each.astype(dy.dtype).reshape(shape[0], *(1 for _ in shape[1:-1]), shape[-1])
    return (jnp.broadcast_to(each, shape),)


@operator()
def global_max_pool(x: X) -> Float[Array, "n c"]:
    """The largest entry over all spatial axes. Source: Oquab et al. 2015."""
    return global_max_pool_fwd(x)[0]


@global_max_pool.fwd
def global_max_pool_fwd(x):
    cells = x.reshape(x.shape[0], math.prod(x.shape[1:-1]), x.shape[-1])
    first = lax.argmax(cells, 1, jnp.int32)[:, None]
    return gather(x, first)[:, 0], (first, Shape(x.shape))


@global_max_pool.bwd
def global_max_pool_bwd(saved, dy):
    first, shape = saved
    return (scatter_add(dy[:, None], first, shape[1:-1]),)


@operator(static=("size",))
def adaptive_avg_pool(x: X, size: Axes) -> Y:
    """The mean of each of `size` bins. Source: He et al. 2014, spatial pyramid pooling."""
    return along_axes(x, _means(x.shape[1:-1], size_per_axis(x, size)))


@adaptive_avg_pool.fwd
def adaptive_avg_pool_fwd(x, *, size):
    return adaptive_avg_pool.forward(x, size=size), Shape(x.shape)


@adaptive_avg_pool.bwd
def adaptive_avg_pool_bwd(shape, dy, *, size):
    return (along_axes(dy, [a.T for a in _means(shape[1:-1], size_per_axis(dy, size))]),)


def _means(grid, size):
    """A, per axis."""
    for n, m in zip(grid, size, strict=True):
        (start, end), cells = _bins(n, m), np.arange(n)
        yield ((start <= cells) & (cells < end)) / (end - start)


@operator(static=("size",))
def adaptive_max_pool(x: X, size: Axes) -> Y:
    """The largest entry of each of `size` bins. Source: He et al. 2014, spatial pyramid pooling."""
    return adaptive_max_pool_fwd(x, size=size)[0]


@adaptive_max_pool.fwd
def adaptive_max_pool_fwd(x, *, size):
    first = _first_maxima(lax.stop_gradient(x), size_per_axis(x, size))
    return gather(x, first), (first, Shape(x.shape))


@adaptive_max_pool.bwd
def adaptive_max_pool_bwd(saved, dy, *, size):
    first, shape = saved
    return (scatter_add(dy, first, shape[1:-1]),)


def _first_maxima(x, size):
    """The number of each bin's first maximum.

    Axis by axis, the last one first: the first row that holds the maximum has its first one.
    """
    grid, n, c = x.shape[1:-1], x.shape[0], x.shape[-1]
    cell = jnp.broadcast_to(cell_indices(grid), x.shape)
    for axis in reversed(range(len(grid))):
        start, end = _bins(grid[axis], size[axis])
        taps = np.minimum(start + np.arange((end - start).max()), end - 1)  # the last may recur
        rows = (n * math.prod(grid[:axis]), grid[axis], math.prod(size[axis + 1 :]) * c)
        x, cell = (a.reshape(rows)[:, taps] for a in (x, cell))  # rows, bins, taps, rest
        first = lax.argmax(x, 2, jnp.int32)[:, :, None]
        x, cell = (jnp.take_along_axis(a, first, 2) for a in (x, cell))
    return cell.reshape(n, *size, c)


def _bins(n, m):
    """Where each bin starts and ends, (m, 1)."""
    p = np.arange(m)[:, None]
    return p * n // m, -((p + 1) * n // -m)


def _validate(name, x, **options):
    validate_grid(name, x)
    if options:
        size_per_axis(x, **options, name=name)


for op in (global_avg_pool, global_max_pool, adaptive_avg_pool, adaptive_max_pool):
    op.validate(partial(_validate, op.name))
    bins: Any = {} if op in (global_avg_pool, global_max_pool) else {"size": 2}
    op.cases = (
        Case("2-D", (distinct((2, 3, 4, 5)),), bins),
        Case("1-D", (distinct((2, 3, 5)),), bins),
        Case("no examples", ((0, 4, 4, 2),), bins),
        *(extreme(name, x, **bins) for name, x in EXTREMES.items()),
        rejects("at least 3 axes", (4, 3), **bins),
        rejects("has no cells", (4, 0, 3), **bins),
        rejects("x holds int32", ints((1, 4, 4, 1)), kind=TypeError, **bins),
    )
    if bins:
        op.cases += (
            Case("more bins than cells", (distinct((1, 3, 7, 2)),), {"size": (5, 3)}),
            Case("3-D", (distinct((1, 3, 2, 5, 2)),), {"size": (2, 1, 3)}),
            rejects(r"size \(0, 0\) must be at least 1", (1, 4, 4, 1), size=0),
            rejects("size 2.0 must be an integer", (1, 4, 4, 1), size=2.0, kind=TypeError),
        )
for op in (global_max_pool, adaptive_max_pool):
    ties = Case("ties", (lambda rng: np.ones((1, 3, 4, 1)),), op.cases[0].options, kink=True)
    op.cases += (ties,)
