"""Pooling: one number for every place of a window, channel by channel.

With x[i] the cell that tap i of a window reads, one place at a time,

    max       y = max_i x[i]                    dx[i] = dy where i is the first maximum, else 0
    average   y = sum_i x[i] / count            dx[i] = dy / count
    Lp        y = (sum_i |x[i]|^p)^(1/p)        dx[i] = dy sign(x[i]) (|x[i]| / y)^(p-1),  0 where y
    = 0 global    y = mean of x over all of space   dx = dy / cells

and a cell read from several places sums what each gives it (`untap`). Saved are: for max the
winning tap; for Lp x and y; else nothing. Ties in max go to the first maximum in row-major window
order; NaN wins.

Shapes: x (n, *size, c) -> (n, *out, c), out as for `conv`; `window` is an int or one int per axis,
        and `stride` defaults to it.
Units:  those of x.
Raises: ValueError if no window fits or p < 1; TypeError for integers.
Cost:   prod(window) comparisons or additions per output; nothing is gathered. The program has one
        slice per tap of the window, so windows of hundreds of taps are slow to compile.
"""

import math
from functools import partial, reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from fcnn.ops.op import Case, Shape, ints, operator, refused
from fcnn.ops.product import wide
from fcnn.ops.refusal import require, require_floats, require_numbers, require_rank
from fcnn.ops.window import Axes, Padding, taps, untap, windows

X = Float[Array, "n *size c"]
Y = Float[Array, "n *out c"]


@operator(static=("window",))
def max_pool(
    x: X,
    window: Axes,
    *,
    stride: Axes | None = None,
    padding: Padding = "valid",
    dilation: Axes = 1,
) -> Y:
    """The largest entry under the window; -inf over padding alone.

    Source: Riesenhuber & Poggio 1999.
    """
    parts = taps(x, _at(x, window, stride, padding, dilation), fill=-jnp.inf)
    return reduce(lambda best, part: jnp.where(_beats(part, best), part, best), parts)


@max_pool.fwd
def max_pool_fwd(x, *, window, stride, padding, dilation):
    parts = taps(x, _at(x, window, stride, padding, dilation), fill=-jnp.inf)
    best, winner = parts[0], jnp.zeros(parts[0].shape, np.min_scalar_type(len(parts)))
    for i, part in enumerate(parts):
        wins = _beats(part, best)
        best = jnp.where(wins, part, best)
        winner = jnp.where(wins, jnp.asarray(i, winner.dtype), winner)
    return best, (winner, Shape(x.shape))


@max_pool.bwd
def max_pool_bwd(saved, dy, **options):
    winner, shape = saved
    at = _at(shape, **options)
    won = (jnp.where(winner == i, dy, jnp.zeros_like(dy)) for i in range(math.prod(at.window)))
    return (untap(list(won), at),)


def _beats(part, best):
    return (part > best) | (part != part)


@operator(static=("window",))
def avg_pool(
    x: X,
    window: Axes,
    *,
    stride: Axes | None = None,
    padding: Padding = "valid",
    dilation: Axes = 1,
    count_include_pad: bool = False,
) -> Y:
    """The mean under the window, of real cells or of padding too. Source: LeCun et al. 1989."""
    at = _at(x, window, stride, padding, dilation)
    total = reduce(jnp.add, taps(x.astype(wide(x.dtype)), at))
    return (total / _count(at, count_include_pad).astype(total.dtype)).astype(x.dtype)


@avg_pool.fwd
def avg_pool_fwd(x, **options):
    return avg_pool.forward(x, **options), Shape(x.shape)


@avg_pool.bwd
def avg_pool_bwd(shape, dy, *, count_include_pad, **options):
    at = _at(shape, **options)
    each = dy / _count(at, count_include_pad).astype(dy.dtype)
    return (untap([each] * math.prod(at.window), at),)


def _count(at, count_include_pad):
    """How many cells each place averages, (1, *out, 1); 1 for padding alone, which gives 0."""
    counts = np.ones((1,) * len(at.size), int)
    for axis, (n, k, s, d, (lo, _), m) in enumerate(
        zip(at.size, at.window, at.stride, at.dilation, at.padding, at.out, strict=True)
    ):
        cells = s * np.arange(m)[:, None] + d * np.arange(k) - lo
        real = (cells >= 0) & (cells < n) | count_include_pad
        counts = counts * np.expand_dims(real.sum(1), [a for a in range(len(at.size)) if a != axis])
    return jnp.asarray(np.maximum(counts, 1)[None, ..., None])


@operator(static=("window",))
def lp_pool(
    x: X,
    window: Axes,
    *,
    p: float = 2,
    stride: Axes | None = None,
    padding: Padding = "valid",
    dilation: Axes = 1,
) -> Y:
    """The Lp norm under the window: p = 1 sums |x|, large p nears its maximum.

    Scaled by the largest |x| first, so that no power overflows. Source: Sermanet et al. 2012.
    """
    at = _at(x, window, stride, padding, dilation)
    parts = [jnp.abs(part) for part in taps(x.astype(wide(x.dtype)), at)]
    top = lax.stop_gradient(reduce(jnp.maximum, parts))
    top = jnp.where((top > 0) & jnp.isfinite(top), top, jnp.ones_like(top))
    total = reduce(jnp.add, ((part / top) ** p for part in parts))
    some = jnp.where(total > 0, total, jnp.ones_like(total))
    return jnp.where(total > 0, top * some ** (1 / p), 0 * total).astype(x.dtype)


@lp_pool.fwd
def lp_pool_fwd(x, **options):
    y = lp_pool.forward(x, **options)
    return y, (x, y)


@lp_pool.bwd
def lp_pool_bwd(saved, dy, *, p, **options):
    dtype, (x, y, dy) = dy.dtype, (a.astype(wide(a.dtype)) for a in (*saved, dy))
    at = _at(x, **options)
    y = jnp.where(y > 0, y, jnp.ones_like(y))
    slope = lambda part: jnp.sign(part) * (jnp.abs(part) / y) ** (p - 1)
    return (untap([dy * slope(part) for part in taps(x, at)], at).astype(dtype),)


@operator()
def global_avg_pool(x: X) -> Float[Array, "n c"]:
    """The mean over all spatial axes. Source: Lin, Chen & Yan 2013."""
    return x.mean(range(1, x.ndim - 1))


@global_avg_pool.fwd
def global_avg_pool_fwd(x):
    return global_avg_pool.forward(x), Shape(x.shape)


@global_avg_pool.bwd
def global_avg_pool_bwd(shape, dy):
    dy = dy.reshape(shape[0], *(1 for _ in shape[1:-1]), shape[-1])
    return (jnp.broadcast_to(dy / math.prod(shape[1:-1]), shape),)


def _at(x, window, stride, padding, dilation, name="pool"):
    shape = getattr(x, "shape", x)
    return windows(
        name, shape[1:-1], window, window if stride is None else stride, padding, dilation
    )


def _check(name, x, *, window, stride, padding, dilation, p=1, count_include_pad=False):
    require_floats(name, x=x)
    require_rank(name, 3, x=x)
    require_numbers(name, p=p)
    require(p >= 1 and p != math.inf, f"{name}: p {p} must be at least 1 and finite")
    _at(x, window, stride, padding, dilation, name)


@global_avg_pool.check
def _check_global(x):
    require_floats("global_avg_pool", x=x)
    require_rank("global_avg_pool", 3, x=x)
    require(x.size > 0 or len(x) == 0, f"global_avg_pool: x {x.shape} has no cells to average")


def _distinct(shape):
    """Entries at least 1/4 apart and away from 0, in random order: no ties, no kinks."""

    def draw(key):
        n = math.prod(shape)
        order = jax.random.permutation(key, n).astype(float)
        return ((order - n / 2 + 0.5) / 4).reshape(shape)

    return draw


GRID = (2, 6, 5, 3)
for op in (max_pool, avg_pool, lp_pool):
    op.check(partial(_check, op.name))
    op.cases = (
        Case("plain", (_distinct(GRID),), {"window": 2}),
        Case("overlapping", (_distinct(GRID),), {"window": 3, "stride": (2, 1), "padding": "same"}),
        Case("dilated", (_distinct(GRID),), {"window": (2, 2), "stride": 1, "dilation": (3, 2)}),
        Case("1-D", (_distinct((2, 7, 3)),), {"window": 3, "padding": ((1, 0),)}),
        Case("3-D", (_distinct((1, 4, 3, 4, 2)),), {"window": (2, 3, 2)}),
        Case("no examples", ((0, 4, 4, 2),), {"window": 2}),
        Case(
            "ties",
            (lambda key: jnp.ones((1, 4, 4, 1)),),
            {"window": 3, "stride": 1},
            kink=op is max_pool,
        ),
        refused("at least 3 axes", (4, 3), window=2),
        refused("exceeds the padded input", (1, 4, 4, 1), window=5),
        refused(r"window \(0, 0\) must be", (1, 4, 4, 1), window=0),
        refused("x holds int32", ints((1, 4, 4, 1)), window=2, kind=TypeError),
    )
padding_counts = {"window": 3, "padding": 1, "count_include_pad": True}
avg_pool.cases += (Case("padding counts", (_distinct(GRID),), padding_counts),)
lp_pool.cases += (
    Case("p = 1", (_distinct(GRID),), {"window": 2, "p": 1}),
    Case("p = 3.5", (_distinct(GRID),), {"window": 2, "p": 3.5}),
    Case("huge", (lambda key: 1e200 * _distinct(GRID)(key),), {"window": 2}),
    Case("zeros", (lambda key: jnp.zeros((1, 4, 4, 1)),), {"window": 2}, kink=True),
    refused("p 0.5 must be at least 1", (1, 4, 4, 1), window=2, p=0.5),
)
global_avg_pool.cases = (
    Case("2-D", ((2, 3, 4, 5),)),
    Case("1-D", ((2, 3, 5),)),
    Case("no examples", ((0, 4, 4, 2),)),
    refused("at least 3 axes", (4, 3)),
    refused("no cells to average", (4, 0, 3)),
    refused("x holds int32", ints((1, 4, 4, 1)), kind=TypeError),
)
