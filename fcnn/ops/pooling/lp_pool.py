"""Lp pooling: the Lp norm of what stands under a window, or its mean form.

With x[i] the cell that tap i of a window reads, one place at a time, and count = 1 in the sum form,
or the number of real cells in the mean form,

    y     = (sum_i |x[i]|^p / count)^(1/p)
    dx[i] = dy sign(x[i]) |x[i]|^(p-1) (sum_j |x[j]|^p)^(1/p - 1) count^(-1/p)

Both are computed with r[i] = x[i] / top in place of x[i], top the largest |x[i]|, so that no power
overflows and one of them is always 1; y is then multiplied by top, while dx does not feel it. As p
grows y nears top, and with p = inf it is: then dx[i] = dy sign(x[i]) where i is the first largest,
else 0. Infinite x[i] count as equally large, so that dx is finite. Where all x[i] are 0
there is a kink, with slope 0. Saved is x.

Padding reads as 0, which adds nothing to a sum, and is not counted in a mean.

Shapes: as for `max_pool`.
Units:  those of x.
Raises: ValueError if no window fits or p < 1; TypeError for integers.
Cost:   prod(window) powers per output, and as many for the gradient.
"""

import math
from functools import partial, reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import Case, extreme, operator, rejects
from fcnn.ops.pooling.pooling import CASES, EXTREMES, GRID, count_cells, distinct, first_largest, pool_windows
from fcnn.ops.validation import (
    require,
    require_flags,
    require_floats,
    require_numbers,
    require_rank,
)
from fcnn.ops.window import Axes, Padding, taps, taps_adjoint


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
    """The Lp norm under the window, or the pth root of the mean pth power; p = inf is the maximum.

    Source: Sermanet, Chintala & LeCun 2012; the mean form: Gulcehre et al. 2014.
    """
    geometry = pool_windows(x, window, stride, padding, dilation, ceil_mode)
    if p == math.inf:
        return first_largest([_magnitude(part) for part in taps(x, geometry)])[0]
    r, unit, top = _scaled(x, geometry, p)
    total = reduce(jnp.add, (part * part if p == 2 else _power(part, p) for part in r))
    some = jnp.where(total == 0, jnp.ones_like(total), total)
    cells = count_cells(geometry, total.dtype) if mean else 1
    y = unit * (some / cells) ** (1 / p) + (top - unit)  # + infinity, or 0
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
        parts_of_dx = (jnp.where(winner == i, dy * jnp.sign(part), zero) for i, part in enumerate(parts))
        return (taps_adjoint(list(parts_of_dx), geometry),)
    r, *_ = _scaled(x, geometry, p)
    slopes = [part if p == 2 else jnp.sign(part) * _power(part, p - 1) for part in r]
    if p == 1:  # also where r is too small for a number
        slopes = [jnp.sign(part) for part in taps(x.astype(accumulation_dtype(x.dtype)), geometry)]
    total = reduce(jnp.add, (part * slope for part, slope in zip(r, slopes, strict=True)))
    some = jnp.where(total == 0, jnp.ones_like(total), total)
    cells = count_cells(geometry, total.dtype) if mean else 1
    scaled_dy = dy.astype(total.dtype) * some ** (1 / p - 1) * cells ** (-1 / p)
    return (taps_adjoint([scaled_dy * slope for slope in slopes], geometry).astype(dy.dtype),)


def _magnitude(x):
    """|x|, with slope 0 at 0."""
    return jnp.sign(x) * x


def _scaled(x, geometry, p):
    """r, its unit and top, in the dtype of sums; the unit is top, or 1 if that is 0 or infinite.

    Beside an infinite x[i] a finite one counts as 0, but for p = 1.
    """
    parts = taps(x.astype(accumulation_dtype(x.dtype)), geometry)
    top = lax.stop_gradient(reduce(jnp.maximum, map(jnp.abs, parts)))
    unit = jnp.where((top > 0) & jnp.isfinite(top), top, jnp.ones_like(top))
    negligible = lambda part: jnp.isinf(top) & jnp.isfinite(part) & (p > 1)
    r = [jnp.where(negligible(part), jnp.zeros_like(part), _finite(part) / unit) for part in parts]
    return r, unit, top


@jax.custom_jvp
def _finite(x):
    """x, or 1 or -1 at infinity, with slope 1 there too."""
    return jnp.where(jnp.isinf(x), jnp.sign(x), x)


_finite.defjvps(lambda dx, y, x: dx)


def _power(r, p):
    """|r|^p, flat at r = 0 to every order, where some derivative would be infinite.

    So p = 2, whose second derivative is 2 even there, goes another way.
    """
    zero = r == 0
    return jnp.where(zero, jnp.zeros_like(r), jnp.abs(jnp.where(zero, jnp.ones_like(r), r)) ** p)


@lp_pool.validate
def _validate(x, *, p, mean, **options):
    require_floats("lp_pool", x=x)
    require_rank("lp_pool", 3, x=x)
    require_numbers("lp_pool", p=p)
    require(p >= 1, f"lp_pool: p {p} must be at least 1")
    require_flags("lp_pool", mean=mean, ceil_mode=options["ceil_mode"])
    pool_windows(x, **options, name="lp_pool")


some = partial(Case, args=(distinct(GRID),))
ties = lambda rng: np.array([1.0, -1, 1, 1, -1, -1, 0, 0, 0, 0]).reshape(1, 10, 1)
lp_pool.cases = (
    *CASES,
    some("p = 1", options={"window": 2, "p": 1}),
    some("p = 3.5", options={"window": 2, "p": 3.5, "padding": "same"}),
    some("mean", options={"window": 3, "padding": 1, "p": 3, "mean": True}),
    some("p = inf", options={"window": 3, "padding": 1, "p": math.inf}),
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
    "takes powers of x, not of its size, and scales windows that are cut off: compared where both "
    "agree"
)
