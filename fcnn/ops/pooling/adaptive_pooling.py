"""Adaptive pooling: a given number of bins per axis, for a grid of any size.

Along an axis of n cells, bin p of m reads the cells from floor(p n / m) to ceil((p + 1) n / m) - 1.
Bins overlap where m does not divide n, and every cell is in a bin.

    average   y[p] = mean_{i in p} x[i] = sum_i A[p,i] x[i]    dx[i] = sum_p A[p,i] dy[p]
    max       y[p] = x[i_p], i_p the first maximum             dx[i] = sum_{p: i_p = i} dy[p]

with A[p,i] = 1 / (number of cells in bin p) if bin p reads cell i, else 0. With more axes, there is
one matrix A per axis. Ties in max go to the first cell in row-major order, and NaN counts as the
maximum. Max saves the indices i_p, and average saves nothing.
"""

import math

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from fcnn.ops.case import Case, extreme, ints, rejects
from fcnn.ops.op import Shape, operator
from fcnn.ops.pooling.axes import along_axes, size_per_axis, validate_grid
from fcnn.ops.pooling.draws import EXTREMES, distinct
from fcnn.ops.pooling.max_unpool import cell_indices, gather, scatter_add
from fcnn.ops.window import Axes

X = Float[Array, "n *size c"]
Y = Float[Array, "n *m c"]


@operator(static=("size",))
def adaptive_avg_pool(x: X, size: Axes) -> Y:
    """Mean over each bin of a grid cut into `size` bins, per channel.

    Shapes: x (n, *size, c) -> (n, *m, c), m the option `size`.
    Options:
        size: bins along each axis, one int or one per axis. Bins overlap where `size` does not
            divide the cells of x.
    Units:  those of x.
    Raises: ValueError if x has no cells or `size` is less than 1; TypeError if x does not hold
            floats.
    Cost:   m n multiply-adds along each axis.
    Source: He et al. 2014, spatial pyramid pooling.

    >>> x = jnp.array([1.0, 2.0, 3.0, 4.0, 5.0]).reshape(1, 5, 1)
    >>> fcnn.adaptive_avg_pool(x, 3).ravel()  # cells 0-1, 1-3 and 3-4
    Array([1.5, 3. , 4.5], dtype=float32)
    """
    return along_axes(x, _means(x.shape[1:-1], size_per_axis(x, size)))


@adaptive_avg_pool.fwd
def adaptive_avg_pool_fwd(x, *, size):
    return adaptive_avg_pool.forward(x, size=size), Shape(x.shape)


@adaptive_avg_pool.bwd
def adaptive_avg_pool_bwd(shape, dy, *, size):
    return (along_axes(dy, [a.T for a in _means(shape[1:-1], size_per_axis(dy, size))]),)


def _means(grid, size):
    """The matrix A of each axis."""
    for n, m in zip(grid, size, strict=True):
        (start, end), cells = _bins(n, m), np.arange(n)
        yield ((start <= cells) & (cells < end)) / (end - start)


@operator(static=("size",))
def adaptive_max_pool(x: X, size: Axes) -> Y:
    """Maximum over each bin of a grid cut into `size` bins, per channel.

    Shapes: x (n, *size, c) -> (n, *m, c), m the option `size`.
    Options:
        size: bins along each axis, one int or one per axis. Bins overlap where `size` does not
            divide the cells of x.
    Units:  those of x. NaN counts as the maximum.
    Raises: ValueError if x has no cells or `size` is less than 1; TypeError if x does not hold
            floats.
    Cost:   one comparison per cell of a bin. The gradient of ties goes to the first maximum.
    Source: He et al. 2014, spatial pyramid pooling.

    >>> x = jnp.array([1.0, 2.0, 3.0, 4.0, 5.0]).reshape(1, 5, 1)
    >>> fcnn.adaptive_max_pool(x, 3).ravel()  # cells 0-1, 1-3 and 3-4
    Array([2., 4., 5.], dtype=float32)
    """
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
    """The index of the first maximum of each bin.

    Axes are reduced one after the other, from the last to the first. The first maximum in row-major
    order is the first maximum in the first row that contains a maximum.
    """
    grid, n, c = x.shape[1:-1], x.shape[0], x.shape[-1]
    cell = jnp.broadcast_to(cell_indices(grid), x.shape)
    for axis in reversed(range(len(grid))):
        start, end = _bins(grid[axis], size[axis])
        taps = np.minimum(
            start + np.arange((end - start).max()), end - 1
        )  # short bins repeat their last cell
        rows = (n * math.prod(grid[:axis]), grid[axis], math.prod(size[axis + 1 :]) * c)
        x, cell = (a.reshape(rows)[:, taps] for a in (x, cell))  # rows, bins, taps, rest
        first = lax.argmax(x, 2, jnp.int32)[:, :, None]
        x, cell = (jnp.take_along_axis(a, first, 2) for a in (x, cell))
    return cell.reshape(n, *size, c)


def _bins(n, m):
    """The start and the end of each bin, (m, 1)."""
    p = np.arange(m)[:, None]
    return p * n // m, -((p + 1) * n // -m)


def _validate(x, *, size):
    validate_grid(x)
    size_per_axis(x, size)


for op in (adaptive_avg_pool, adaptive_max_pool):
    op.validate(_validate)
    op.cases = (
        Case("2-D", (distinct((2, 3, 4, 5)),), {"size": 2}),
        Case("1-D", (distinct((2, 3, 5)),), {"size": 2}),
        Case("no examples", ((0, 4, 4, 2),), {"size": 2}),
        *(extreme(name, x, size=2) for name, x in EXTREMES.items()),
        rejects("at least 3 axes", (4, 3), size=2),
        rejects("has no cells", (4, 0, 3), size=2),
        rejects("x holds int32", ints((1, 4, 4, 1)), kind=TypeError, size=2),
        Case("more bins than cells", (distinct((1, 3, 7, 2)),), {"size": (5, 3)}),
        Case("3-D", (distinct((1, 3, 2, 5, 2)),), {"size": (2, 1, 3)}),
        rejects(r"size \(0, 0\) must be at least 1", (1, 4, 4, 1), size=0),
        rejects("size 2.0 must be an integer", (1, 4, 4, 1), size=2.0, kind=TypeError),
    )
adaptive_max_pool.cases += (
    Case("ties", (lambda rng: np.ones((1, 3, 4, 1)),), {"size": 2}, kink=True),
)
