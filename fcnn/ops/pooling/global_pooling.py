"""Global pooling: one number per channel, over all spatial axes, or over the cells of a mask.

Over the N cells x[i] of one example and channel at which the mask M[i] is True,

    average   y = sum_i M[i] x[i] / N               dx[i] = M[i] dy / N
    max       y = x[i*], i* the first maximum       dx[i] = dy if i = i*, 0 otherwise

Without a mask, M is True at all cells. Where M[i] is False, x[i] is replaced by 0 before the sum,
and by -inf before the comparison, so that NaN has no effect there. If N = 0, then y = 0 and dx = 0:
average divides by max(N, 1), and max has no i*.

Ties in max go to the first cell in row-major order, and NaN counts as the maximum. Max saves i*, -1
for no cell. Average saves M and max(N, 1).
"""

import math

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from fcnn.ops.case import Case, extreme, ints, rejects
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import Shape, operator
from fcnn.ops.pooling.axes import validate_grid
from fcnn.ops.pooling.draws import EXTREMES, distinct
from fcnn.ops.pooling.max_unpool import gather, scatter_add
from fcnn.ops.validation import require

X = Float[Array, "n *size c"]
M = Bool[Array, "n ..."]


@operator()
def global_avg_pool(x: X, mask: M | None = None) -> Float[Array, "n c"]:
    """Mean over all spatial axes, per channel, or over the cells of a mask.

    Shapes: x (n, *size, c), mask (n, *size) or the leading axes of it, from (n, first of size)
            -> (n, c). mask is True at the cells that count; all cells count if None. The others
            have no effect, also if they are NaN. An example without cells that count gives 0, with
            gradient 0. For sequences x (n, t, c), mask is (n, t).
    Units:  those of x.
    Raises: ValueError if x has no cells, or the shape of mask does not fit; TypeError if x does not
            hold floats, or mask does not hold booleans.
    Cost:   one addition per entry of x, and one selection with a mask.
    Source: Lin, Chen & Yan 2013.

    >>> x = jnp.array([[[1.0, 10.0], [3.0, 30.0]]])
    >>> fcnn.global_avg_pool(x)
    Array([[ 2., 20.]], dtype=float32)
    >>> fcnn.global_avg_pool(x, jnp.array([[False, True]]))
    Array([[ 3., 30.]], dtype=float32)
    """
    return global_avg_pool_fwd(x, mask)[0]


@global_avg_pool.fwd
def global_avg_pool_fwd(x, mask):
    cells, of_cells = _cells(x), range(1, x.ndim - 1)
    if mask is None:
        return x.mean(of_cells), (Shape(x.shape), None, None)
    counts = _at_cells(x, mask)
    wide = jnp.where(counts, x, jnp.zeros_like(x)).astype(accumulation_dtype(x.dtype))
    per_entry = cells // math.prod(mask.shape[1:])  # cells that share an entry of the mask
    n = jnp.maximum(mask.sum(range(1, mask.ndim)) * per_entry, 1).astype(wide.dtype)[:, None]
    return (wide.sum(of_cells) / n).astype(x.dtype), (Shape(x.shape), mask, n)


@global_avg_pool.bwd
def global_avg_pool_bwd(saved, dy):
    shape, mask, n = saved
    wide = dy.astype(accumulation_dtype(dy.dtype))  # N may exceed the largest float16
    dx = (wide / (math.prod(shape[1:-1]) if n is None else n)).astype(dy.dtype)
    dx = jnp.broadcast_to(dx.reshape(shape[0], *(1 for _ in shape[1:-1]), shape[-1]), shape)
    return dx if mask is None else jnp.where(_at_cells(dx, mask), dx, jnp.zeros_like(dx)), None


@operator()
def global_max_pool(x: X, mask: M | None = None) -> Float[Array, "n c"]:
    """Maximum over all spatial axes, per channel, or over the cells of a mask.

    Shapes: x (n, *size, c), mask (n, *size) or the leading axes of it, from (n, first of size)
            -> (n, c). mask is True at the cells that count; all cells count if None. The others
            have no effect, also if they are NaN. An example without cells that count gives 0, with
            gradient 0. For sequences x (n, t, c), mask is (n, t).
    Units:  those of x. NaN counts as the maximum.
    Raises: ValueError if x has no cells, or the shape of mask does not fit; TypeError if x does not
            hold floats, or mask does not hold booleans.
    Cost:   one comparison per entry of x, three with a mask. The gradient of ties goes to the first
            maximum.
    Source: Oquab et al. 2015.

    >>> x = jnp.array([[[1.0, 30.0], [3.0, 10.0]]])
    >>> fcnn.global_max_pool(x)
    Array([[ 3., 30.]], dtype=float32)
    >>> fcnn.global_max_pool(x, jnp.array([[False, True]]))
    Array([[ 3., 10.]], dtype=float32)
    """
    return global_max_pool_fwd(x, mask)[0]


@global_max_pool.fwd
def global_max_pool_fwd(x, mask):
    first = _first_maximum(x, mask)
    return gather(x, first)[:, 0], (first, Shape(x.shape))


@global_max_pool.bwd
def global_max_pool_bwd(saved, dy):
    first, shape = saved
    return scatter_add(dy[:, None], first, shape[1:-1]), None


def _first_maximum(x, mask):
    """i* (n, 1, c), the index of the first maximum among the cells that count; -1 for no cell."""
    cells = x.reshape(x.shape[0], _cells(x), x.shape[-1])
    if mask is None:
        return lax.argmax(cells, 1, jnp.int32)[:, None]
    counts = jnp.broadcast_to(_at_cells(x, mask), (*x.shape[:-1], 1)).reshape(*cells.shape[:2], 1)
    top = jnp.where(counts, cells, -jnp.inf).max(1, keepdims=True)
    is_top = counts & ((cells == top) | jnp.isnan(cells))
    first = lax.argmax(is_top, 1, jnp.int32)[:, None]
    return jnp.where(counts.any(1, keepdims=True), first, -1)


def _cells(x):
    """The number of cells of one example and channel."""
    return math.prod(x.shape[1:-1])


def _at_cells(x, mask):
    """The mask as (n, *size|1, 1), with as many axes as x."""
    return mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim))


def _validate(x, mask):
    validate_grid(x)
    if mask is not None:
        if mask.dtype != bool:
            raise TypeError(f"mask holds {mask.dtype}, not booleans; write mask.astype(bool)")
        fits = 2 <= mask.ndim < x.ndim and mask.shape == x.shape[: mask.ndim]
        axes = f"{x.shape[:-1]}, or its leading axes from {x.shape[:2]}"
        require(fits, f"mask {mask.shape} needs shape {axes} for x {x.shape}")


def _mask(*shape):
    """A boolean mask: mostly True, and False for all cells of the second example."""

    def draw(rng):
        mask = rng.random(shape) < 0.7
        mask[1:2] = False
        return mask

    return draw


def _hidden(draw):
    """x (1, 5, 2) with NaN in its last two cells, and a mask that hides these cells."""
    hide = lambda x: np.where(np.arange(5)[:, None] < 3, x, np.nan)
    return lambda rng: hide(draw(rng)), lambda rng: np.arange(5)[None] < 3


for op in (global_avg_pool, global_max_pool):
    op.validate(_validate)
    op.cases = (
        Case("2-D", (distinct((2, 3, 4, 5)), None)),
        Case("1-D", (distinct((2, 3, 5)), None)),
        Case("no examples", ((0, 4, 4, 2), None)),
        Case("sequences of several lengths", (distinct((4, 3, 2)), _mask(4, 3))),
        Case("some cells", (distinct((4, 3, 4, 2)), _mask(4, 3, 4))),
        Case("some rows", (distinct((4, 3, 2, 2)), _mask(4, 3))),
        Case("no examples for a mask", ((0, 4, 2), _mask(0, 4))),
        *(extreme(name, x, None) for name, x in EXTREMES.items()),
        *(extreme(f"{name}, hidden NaN", *_hidden(x)) for name, x in EXTREMES.items()),
        rejects("at least 3 axes", (4, 3), None),
        rejects("has no cells", (4, 0, 3), None),
        rejects("x holds int32", ints((1, 4, 4, 1)), None, kind=TypeError),
        rejects("mask holds int32, not booleans; write", (4, 4, 1), ints((4, 4)), kind=TypeError),
        rejects(r"mask \(4, 3\) needs shape \(4, 5\), or", (4, 5, 1), _mask(4, 3)),
        rejects(r"mask \(4,\) needs .*, or its leading axes from \(4, 5\)", (4, 5, 1), _mask(4)),
        rejects(r"mask \(4, 5, 1\) needs shape", (4, 5, 1), _mask(4, 5, 1)),
    )
ties = lambda rng: np.ones((1, 3, 4, 1))
global_max_pool.cases += (
    Case("ties", (ties, None), kink=True),
    Case("ties of some cells", (ties, lambda rng: np.arange(3)[None] > 0), kink=True),
)
