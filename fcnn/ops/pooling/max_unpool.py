"""Indices of the maxima of max pooling, and unpooling at these indices.

With i[n,p,c] the cell of the maximum at output position p, cells numbered in row-major order,

    gather         y[n,p,c] = x[n, i[n,p,c], c]
    scatter_add    x[n,u,c] = sum of y[n,p,c] over all p with i[n,p,c] = u

are linear and adjoint to each other, so each computes the gradient of the other. Max pooling is
`gather` at the maxima, and its gradient is `scatter_add`. `max_unpool` is `scatter_add` too. i is
saved.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int32, Integer

from fcnn.ops.case import Case, extreme, ints, rejects
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import Shape, operator
from fcnn.ops.pooling.axes import size_per_axis
from fcnn.ops.pooling.draws import EXTREMES
from fcnn.ops.pooling.pool_windows import pool_windows, validate_windows
from fcnn.ops.pooling.pooling import beats, max_pool
from fcnn.ops.taps import taps
from fcnn.ops.validation import require, require_floats, require_rank
from fcnn.ops.window import Axes, Padding


@operator(static=("window",))
def max_pool_with_indices(
    x: Float[Array, "n *size c"],
    window: Axes,
    *,
    stride: Axes | None = None,
    padding: Padding = "valid",
    dilation: Axes = 1,
    ceil_mode: bool = False,
) -> tuple[Float[Array, "n *out c"], Int32[Array, "n *out c"]]:
    """Maximum over each window, per channel, and the index of its cell.

    Shapes: x (n, *size, c) -> two arrays (n, *out, c),
            out = floor((size + lo + hi - dilation (window - 1) - 1) / stride) + 1 per axis.
    Options:
        window: cells along each axis, one int or one per axis.
        stride: step between windows in cells, one int or one per axis; `window` if None.
        padding: an int, a sequence of ints or pairs (lo, hi), "valid" (none), "same", "same_lower",
            "causal" or "full", as for `conv`; "valid". Padding is -inf.
        dilation: step between taps of a window in cells, one int or one per axis; 1.
        ceil_mode: round the output size up. The last window may extend beyond the padded input,
            but never lies wholly in the high padding; False.
    Units:  the maxima are in units of x. Indices count the cells of one channel in row-major order
            from 0; a window without cells of x gives -inf and -1. Ties go to the first cell.
    Raises: ValueError if no window fits the padded input; TypeError if x does not hold floats.
    Cost:   two comparisons and two selections per output and tap; one addition per output for the
            gradient, which flows through the maxima only.
    Source: Zeiler & Fergus 2014, the "switches".

    >>> x = jnp.array([1.0, 5.0, 2.0, 3.0]).reshape(1, 4, 1)
    >>> y, indices = fcnn.max_pool_with_indices(x, 2)
    >>> indices.ravel()
    Array([1, 3], dtype=int32)
    """
    geometry = pool_windows(x, window, stride, padding, dilation, ceil_mode)
    cells = cell_indices(geometry.size)
    parts = zip(taps(x, geometry, fill=-jnp.inf), taps(cells, geometry, fill=-1), strict=True)
    best, index = jnp.asarray(-jnp.inf, x.dtype), jnp.asarray(-1, jnp.int32)
    for part, cell in parts:
        wins = beats(part, best) | (index < 0)  # -inf in x takes precedence over padding
        best, index = jnp.where(wins, part, best), jnp.where(wins, cell, index)
    return best, index


@max_pool_with_indices.fwd
def max_pool_with_indices_fwd(x, **options):
    y, index = max_pool_with_indices.forward(x, **options)
    return (y, index), (index, Shape(x.shape))


@max_pool_with_indices.bwd
def max_pool_with_indices_bwd(saved, dout, **options):
    (index, shape), (dy, _) = saved, dout
    return (scatter_add(dy, index, shape[1:-1]),)


@operator(static=("size",))
def max_unpool(
    x: Float[Array, "n *out c"], indices: Integer[Array, "n *out c"], size: Axes
) -> Float[Array, "n *size c"]:
    """Max unpooling: add every entry of x to a grid of zeros, at its index.

    Shapes: x (n, *out, c), indices (n, *out, c) -> (n, *m, c), m the option `size`. The indices
            number cells as in `max_pool_with_indices`. Entries with an index outside the grid are
            ignored.
    Options:
        size: cells of the output along each axis, one int or one per axis.
    Units:  those of x. Entries that share an index, as happens if windows overlap, are added.
    Raises: ValueError if shapes disagree; TypeError if indices are not integers.
    Cost:   one scatter addition per entry of x; one gather per entry for the gradient.
    Source: Zeiler & Fergus 2014, the "switches"; the sum makes it the adjoint of max pooling.

    >>> y, indices = jnp.array([5.0, 3.0]).reshape(1, 2, 1), jnp.array([1, 3]).reshape(1, 2, 1)
    >>> fcnn.max_unpool(y, indices, 4).ravel()
    Array([0., 5., 0., 3.], dtype=float32)
    """
    return scatter_add(x, indices, size_per_axis(x, size))


@max_unpool.fwd
def max_unpool_fwd(x, indices, **options):
    return max_unpool.forward(x, indices, **options), indices


@max_unpool.bwd
def max_unpool_bwd(indices, dy, *, size):
    return gather(dy, indices), None


def scatter_add(y: Array, indices: Array, size: tuple[int, ...]) -> Array:
    """Add y (n, *out, c) to a grid of zeros (n, *size, c), ignoring indices outside the grid."""
    cells, flat = math.prod(size), (y.shape[0], math.prod(y.shape[1:-1]), y.shape[-1])
    zeros = jnp.zeros(cells, accumulation_dtype(y.dtype))
    one = lambda y, i: zeros.at[jnp.where(i < 0, cells, i)].add(y, mode="drop")
    i = indices.astype(jnp.int32).reshape(flat)
    x = _per_channel(one)(y.astype(zeros.dtype).reshape(flat), i)
    return x.reshape(y.shape[0], *size, y.shape[-1]).astype(y.dtype)


def gather(x: Array, indices: Array) -> Array:
    """x (n, *size, c) at indices (n, *out, c), 0 outside the grid; the adjoint of `scatter_add`."""
    n, c = x.shape[0], x.shape[-1]
    cells = math.prod(x.shape[1:-1])
    one = lambda x, i: x.at[jnp.where(i < 0, cells, i)].get(mode="fill", fill_value=0)
    i = indices.astype(jnp.int32).reshape(n, math.prod(indices.shape[1:-1]), c)
    return _per_channel(one)(x.reshape(n, cells, c), i).reshape(indices.shape)


def _per_channel(one):
    """Map a function of vectors over the examples and channels of arrays (n, cells, c)."""
    return jax.vmap(jax.vmap(one, in_axes=1, out_axes=1))


def cell_indices(size: tuple[int, ...]) -> Array:
    """The indices of the cells of a grid in row-major order, (1, *size, 1)."""
    return jnp.arange(math.prod(size), dtype=jnp.int32).reshape(1, *size, 1)


@max_unpool.validate
def _validate(x, indices, *, size):
    require_floats(x=x)
    require_rank(3, x=x)
    if not jnp.issubdtype(indices.dtype, jnp.integer):
        raise TypeError(f"indices hold {indices.dtype}, not integers; write indices.astype(int)")
    same = indices.shape == x.shape
    require(same, f"indices {indices.shape} need the shape of x {x.shape}")
    size_per_axis(x, size)


outside = lambda rng: np.array([5, -1, 4, 5]).reshape(1, 4, 1)
max_unpool.cases = (
    Case("plain", ((2, 3, 2, 3), ints((2, 3, 2, 3), below=20)), {"size": (4, 5)}),
    Case("1-D", ((2, 5, 1), ints((2, 5, 1), below=7)), {"size": 7}),
    Case("shared and outside the grid", ((1, 4, 1), outside), {"size": 5}),
    Case("no examples", ((0, 2, 2, 3), ints((0, 2, 2, 3))), {"size": 4}),
    *(extreme(name, x, ints((1, 5, 2), below=2), size=4) for name, x in EXTREMES.items()),
    rejects(r"need the shape of x \(1, 3, 1\)", (1, 3, 1), ints((1, 2, 1)), size=4),
    rejects("hold float64, not integers", (1, 3, 1), (1, 3, 1), size=4, kind=TypeError),
    rejects(r"size \(4, 4\) needs length 1", (1, 3, 1), ints((1, 3, 1)), size=(4, 4)),
    rejects("at least 3 axes", (3, 1), ints((3, 1)), size=4),
    rejects("x holds int32", ints((1, 3, 1)), ints((1, 3, 1)), size=4, kind=TypeError),
)

max_pool_with_indices.validate(validate_windows)
max_pool_with_indices.cases = max_pool.cases
max_unpool.torch_difference = (
    "torch keeps one of the entries that share an index, fcnn adds them; in the test no entries "
    "share an index"
)
