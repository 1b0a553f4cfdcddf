"""Lp pooling: the Lp norm of each window, or its mean form.

With x[i] the cell that tap i of a window reads, at one output position, and with count = 1 in the
sum form, or the number of cells of x in the window in the mean form,

    y     = (sum_i |x[i]|^p / count)^(1/p)
    dx[i] = dy sign(x[i]) |x[i]|^(p-1) (sum_j |x[j]|^p)^(1/p - 1) count^(-1/p)

y and dx are computed with r[i] = x[i] / top in place of x[i], where top is the largest |x[i]|. Then
the largest power is 1, so no power overflows. The norm of r is multiplied by top, which gives y. dx
is the same for r as for x. For p = inf, y is top, the limit for large p. Then dx[i] is
dy sign(x[i]) for the first x[i] with |x[i]| = top, and 0 for other i. All infinite x[i] count as
equally large, so that dx is finite. Where all x[i] are 0 there is a kink, with slope 0. x is saved.

Padding reads as 0, which adds nothing to a sum, and is not counted in a mean.
"""

import math
from functools import partial, reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from fcnn.ops.case import Case, extreme, rejects
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import operator
from fcnn.ops.pooling.draws import EXTREMES, distinct
from fcnn.ops.pooling.pool_windows import count_cells, pool_windows
from fcnn.ops.pooling.pooling import CASES, GRID, first_largest
from fcnn.ops.taps import taps, taps_adjoint
from fcnn.ops.validation import (
    require,
    require_flags,
    require_floats,
    require_numbers,
    require_rank,
)
from fcnn.ops.window import Axes, Padding


@operator(static=("window",))
def lp_pool(
    x: Float[Array, "n *size c"],
    window: Axes,
    *,
    p: float = 2,
    mean: bool = False,
    stride: Axes | None = None,
    padding: Padding = "valid",
    dilation: Axes = 1,
    ceil_mode: bool = False,
) -> Float[Array, "n *out c"]:
    """Lp norm of each window, per channel.

    Shapes: x (n, *size, c) -> (n, *out, c),
            out = floor((size + lo + hi - dilation (window - 1) - 1) / stride) + 1 per axis.
    Options:
        window: cells along each axis, one int or one per axis.
        p: exponent, at least 1: 1 sums |x|, 2 is the Euclidean norm, inf is max |x|; 2.
        mean: use the mean of |x|^p over the cells of x in the window, not the sum; False.
        stride: step between windows in cells, one int or one per axis; `window` if None.
        padding: an int, a sequence of ints or pairs (lo, hi), "valid" (none), "same", "same_lower",
            "causal" or "full", as for `conv`; "valid". Padding is 0.
        dilation: step between taps of a window in cells, one int or one per axis; 1.
        ceil_mode: round the output size up. The last window may extend beyond the padded input,
            but never lies wholly in the high padding; False.
    Units:  those of x. Where all cells are 0, y and the gradient are 0.
    Raises: ValueError if no window fits the padded input or p < 1; TypeError if x does not hold
            floats.
    Cost:   prod(window) powers per output, and the same number for the gradient.
    Source: Sermanet, Chintala & LeCun 2012; the mean form: Gulcehre et al. 2014.

    >>> x = jnp.array([3.0, -4.0, 0.0, 2.0]).reshape(1, 4, 1)
    >>> fcnn.lp_pool(x, 2).ravel()
    Array([5., 2.], dtype=float32)
    """
    geometry = pool_windows(x, window, stride, padding, dilation, ceil_mode)
    if p == math.inf:
        return first_largest([_magnitude(part) for part in taps(x, geometry)])[0]
    r, unit, top = _scaled(x, geometry, p)
    total = reduce(jnp.add, (part * part if p == 2 else _power(part, p) for part in r))
    nonzero = jnp.where(total == 0, jnp.ones_like(total), total)
    cells = count_cells(geometry, total.dtype) if mean else 1
    # top - unit is 0, or infinity if top is infinite. Where top is 0, y is replaced below.
    y = unit * (nonzero / cells) ** (1 / p) + (top - unit)
    return jnp.where(total == 0, total, y).astype(x.dtype)


@lp_pool.fwd
def lp_pool_fwd(x, **options):
    return lp_pool.forward(x, **options), x


@lp_pool.bwd
def lp_pool_bwd(x, dy, *, p, mean, **options):
    geometry = pool_windows(x, **options)
    if p == math.inf:
        parts = taps(x, geometry)
        _, winner = first_largest([_magnitude(part) for part in parts])
        zero = jnp.zeros_like(dy)
        parts_of_dx = (
            jnp.where(winner == i, dy * jnp.sign(part), zero) for i, part in enumerate(parts)
        )
        return (taps_adjoint(list(parts_of_dx), geometry),)
    r, *_ = _scaled(x, geometry, p)
    slopes = [part if p == 2 else jnp.sign(part) * _power(part, p - 1) for part in r]
    if p == 1:  # r may underflow to 0, where the sign of x is still known
        slopes = [jnp.sign(part) for part in taps(x.astype(accumulation_dtype(x.dtype)), geometry)]
    total = reduce(jnp.add, (part * slope for part, slope in zip(r, slopes, strict=True)))
    nonzero = jnp.where(total == 0, jnp.ones_like(total), total)
    cells = count_cells(geometry, total.dtype) if mean else 1
    scaled_dy = dy.astype(total.dtype) * nonzero ** (1 / p - 1) * cells ** (-1 / p)
    return (taps_adjoint([scaled_dy * slope for slope in slopes], geometry).astype(dy.dtype),)


def _magnitude(x):
    """|x|, with slope 0 at 0."""
    return jnp.sign(x) * x


def _scaled(x, geometry, p):
    """Compute r = x / unit, unit and top, in the accumulation dtype.

    The unit is top, or 1 if top is 0 or infinite. In a window with an infinite x[i], finite x[i]
    count as 0, except for p = 1.
    """
    parts = taps(x.astype(accumulation_dtype(x.dtype)), geometry)
    top = lax.stop_gradient(reduce(jnp.maximum, map(jnp.abs, parts)))
    unit = jnp.where((top > 0) & jnp.isfinite(top), top, jnp.ones_like(top))
    negligible = lambda part: jnp.isinf(top) & jnp.isfinite(part) & (p > 1)
    r = [jnp.where(negligible(part), jnp.zeros_like(part), _finite(part) / unit) for part in parts]
    return r, unit, top


@jax.custom_jvp
def _finite(x):
    """x, with 1 and -1 in place of the infinities; the slope is 1 everywhere."""
    return jnp.where(jnp.isinf(x), jnp.sign(x), x)


_finite.defjvps(lambda dx, y, x: dx)


def _power(r, p):
    """|r|^p, with all derivatives 0 at r = 0, where some derivatives would be infinite.

    Callers compute |r|^2 as r r instead, whose second derivative at 0 is 2.
    """
    zero = r == 0
    return jnp.where(zero, jnp.zeros_like(r), jnp.abs(jnp.where(zero, jnp.ones_like(r), r)) ** p)


@lp_pool.validate
def _validate(x, *, p, mean, **options):
    require_floats(x=x)
    require_rank(3, x=x)
    require_numbers(p=p)
    require(p >= 1, f"p {p} must be at least 1")
    require_flags(mean=mean, ceil_mode=options["ceil_mode"])
    pool_windows(x, **options)


on_grid = partial(Case, args=(distinct(GRID),))
ties = lambda rng: np.array([1.0, -1, 1, 1, -1, -1, 0, 0, 0, 0]).reshape(1, 10, 1)
lp_pool.cases = (
    *CASES,
    on_grid("p = 1", options={"window": 2, "p": 1}),
    on_grid("p = 3.5", options={"window": 2, "p": 3.5, "padding": "same"}),
    on_grid("mean", options={"window": 3, "padding": 1, "p": 3, "mean": True}),
    on_grid("p = inf", options={"window": 3, "padding": 1, "p": math.inf}),
    *(extreme(f"p = 3, {name}", x, window=3, stride=1, p=3) for name, x in EXTREMES.items()),
    extreme("p = inf, far from 0", EXTREMES["far from 0"], window=3, stride=1, p=math.inf),
    Case("huge", (lambda rng: 1e200 * distinct(GRID)(rng),), {"window": 2}),
    Case("zeros", (lambda rng: np.zeros((1, 4, 4, 1)),), {"window": 2}, kink=True),
    Case("p = inf at ties", (ties,), {"window": 2, "p": math.inf}, kink=True),
    rejects("p 0.5 must be at least 1", (1, 4, 4, 1), window=2, p=0.5),
    rejects("p nan must be at least 1", (1, 4, 4, 1), window=2, p=math.nan),
    rejects("p 'two' must be a number", (1, 4, 4, 1), window=2, p="two", kind=TypeError),
)
lp_pool.torch_difference = (
    "torch takes powers of x, not of |x|, and scales up the sum of a window that extends beyond "
    "the input; the test passes |x| to torch, and compares such windows with the mean form"
)
