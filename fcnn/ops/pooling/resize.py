"""Nearest and linear resizing: each axis of n cells is resampled at m positions.

The centre of cell i is at i + 1/2, and both grids cover the same area. So the centre of output
position p is at u = (p + 1/2) n / m - 1/2, counted from the centre of the first cell. u is clipped
to the first and the last centre.

    nearest   y[p] = x[floor(p n / m)]
    linear    y[p] = (1 - t) x[i] + t x[i + 1]    with i = floor(u), t = u - i

Both methods are sums y[p] = sum_i A[p,i] x[i], so dx[i] = sum_p A[p,i] dy[p]. With more
axes, there is one matrix A per axis. Nothing is saved.
"""

from functools import reduce

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fcnn.ops.case import Case, extreme, ints, rejects
from fcnn.ops.op import Shape, operator
from fcnn.ops.pooling.axes import along_axes, size_per_axis, validate_grid
from fcnn.ops.pooling.draws import EXTREMES
from fcnn.ops.window import Axes

X = Float[Array, "n *size c"]
Y = Float[Array, "n *m c"]


@operator(static=("size",))
def resize_nearest(x: X, size: Axes) -> Y:
    """Nearest-neighbour resizing: each output copies one cell, y[p] = x[floor(p n / m)] per axis.

    Shapes: x (n, *size, c) -> (n, *m, c), m the option `size`.
    Options:
        size: cells of the output along each axis, one int or one per axis.
    Units:  those of x.
    Raises: ValueError if x has no cells or `size` is less than 1; TypeError if x does not hold
            floats.
    Cost:   one read per output; m n multiply-adds along each axis for the gradient.
    Source: `nearest` of torch.nn.functional.interpolate, which copies the cell at the low corner of
            the output cell; other libraries copy the cell at the centre of the output cell.

    >>> x = jnp.array([1.0, 2.0]).reshape(1, 2, 1)
    >>> fcnn.resize_nearest(x, 4).ravel()
    Array([1., 1., 2., 2.], dtype=float32)
    """
    axes = zip(range(1, x.ndim - 1), x.shape[1:-1], size_per_axis(x, size), strict=True)
    return reduce(lambda y, axis: jnp.take(y, _nearest(*axis[1:]), axis[0]), axes, x)


@operator(static=("size",))
def resize_linear(x: X, size: Axes) -> Y:
    """Linear resizing: interpolate between neighbouring cells along each axis (bilinear on images).

    There is no antialiasing: even for a smaller grid, an output reads only two cells per axis.

    Shapes: x (n, *size, c) -> (n, *m, c), m the option `size`.
    Options:
        size: cells of the output along each axis, one int or one per axis.
    Units:  those of x.
    Raises: ValueError if x has no cells or `size` is less than 1; TypeError if x does not hold
            floats.
    Cost:   m n multiply-adds along each axis, forward and backward.
    Source: `bilinear` of torch.nn.functional.interpolate with align_corners=False: half-pixel
            centres.

    >>> x = jnp.array([0.0, 4.0]).reshape(1, 2, 1)
    >>> fcnn.resize_linear(x, 4).ravel()
    Array([0., 1., 3., 4.], dtype=float32)
    """
    return along_axes(x, map(_linear, x.shape[1:-1], size_per_axis(x, size)))


def _nearest(n, m):
    return np.arange(m) * n // m


def _one_hot(n, m):
    return (_nearest(n, m)[:, None] == np.arange(n)).astype(float)


def _linear(n, m):
    u = np.clip((np.arange(m)[:, None] + 0.5) * n / m - 0.5, 0, n - 1)
    return np.maximum(0, 1 - np.abs(u - np.arange(n)))  # 1 - t at i, t at i + 1


def _resizing(op, matrix):
    def fwd(x, *, size):
        return op.forward(x, size=size), Shape(x.shape)

    def bwd(shape, dy, *, size):
        matrices = map(matrix, shape[1:-1], size_per_axis(dy, size))
        return (along_axes(dy, (a.T for a in matrices)),)

    op.fwd(fwd)
    op.bwd(bwd)
    op.validate(_validate)
    op.cases = (
        Case("larger", ((2, 2, 3, 2),), {"size": (5, 4)}),
        Case("smaller", ((2, 7, 5, 1),), {"size": (3, 1)}),
        Case("1-D", ((2, 4, 3),), {"size": 8}),
        Case("3-D", ((1, 3, 1, 2, 2),), {"size": (2, 3, 4)}),
        Case("no examples", ((0, 4, 4, 2),), {"size": 3}),
        *(extreme(name, x, size=3) for name, x in EXTREMES.items()),
        rejects("at least 3 axes", (4, 3), size=2),
        rejects("has no cells", (4, 0, 3), size=2),
        rejects(r"size \(2,\) needs length 2", (1, 4, 4, 1), size=(2,)),
        rejects("size '2' must be an integer", (1, 4, 4, 1), size="2", kind=TypeError),
        rejects("x holds int32", ints((1, 4, 4, 1)), size=2, kind=TypeError),
    )


def _validate(x, *, size):
    validate_grid(x)
    size_per_axis(x, size)


_resizing(resize_nearest, _one_hot)
_resizing(resize_linear, _linear)
resize_nearest.torch_difference = (
    "torch rounds n / m to float32, which shifts positions at some sizes; the test avoids such "
    "sizes"
)
