"""Pooling: one number for every place of a window, channel by channel.

With x[i] the cell that tap i of a window reads, one place at a time,

    max       y = max_i x[i]            dx[i] = dy where i is the first maximum, else 0
    average   y = sum_i x[i] / count    dx[i] = dy / count

and a cell read from several places sums what each gives it (`taps_adjoint`). Saved is, for max, the
winning tap; for the average nothing. Ties go to the first maximum in row-major window order; NaN
wins.

Shapes: x (n, *size, c) -> (n, *out, c), out as for `conv`; `window` is an int or one int per axis,
        and `stride` defaults to it. With `ceil_mode` the end of the grid may cut off the last
        place, though never put it wholly in the high padding.
Units:  those of x.
Raises: ValueError if no window fits; TypeError for integers.
Cost:   prod(window) comparisons or additions per output; nothing is gathered. The program has one
        slice per tap of the window, so windows of hundreds of taps are slow to compile.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from functools import partial, reduce

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import Case, Shape, extreme, ints, normals, operator, rejects
from fcnn.ops.validation import require_flags, require_floats, require_rank
from fcnn.ops.window import Axes, Padding, Windows, taps, taps_adjoint, windows

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
    ceil_mode: bool = False,
) -> Y:
    """The largest entry under the window; -inf over padding alone.

    Source: Riesenhuber & Poggio 1999.
    """
    geometry = pool_windows(x, window, stride, padding, dilation, ceil_mode)
    return _max_and_first_tap(x, geometry)[0]


@max_pool.fwd
def max_pool_fwd(x, **options):
    y, winner = _max_and_first_tap(x, pool_windows(x, **options))
    return y, (winner, Shape(x.shape))


@max_pool.bwd
def max_pool_bwd(saved, dy, **options):
    winner, shape = saved
    geometry = pool_windows(shape, **options)
    won = (
        jnp.where(winner == i, dy, jnp.zeros_like(dy)) for i in range(math.prod(geometry.window))
    )
    return (taps_adjoint(list(won), geometry),)


def _max_and_first_tap(x, geometry):
    """The maximum of every place, and the first tap that reads it; a cell at -inf beats padding."""
    return first_largest(taps(x, geometry, fill=-jnp.inf), _first_real_taps(geometry))


def _first_real_taps(geometry):
    """For every tap the places at which it reads a cell, and all taps before it padding."""
    axes = zip(
        geometry.size,
        geometry.window,
        geometry.stride,
        geometry.dilation,
        geometry.padding,
        geometry.out,
        strict=True,
    )
    real = []
    for n, k, s, d, (lo, _), m in axes:
        cell = s * np.arange(m)[:, None] + d * np.arange(k) - lo
        real.append((cell >= 0) & (cell < n))
    none = np.ones(geometry.out, bool)
    for tap in itertools.product(*map(range, geometry.window)):
        reads = reduce(np.logical_and.outer, (r[:, i] for r, i in zip(real, tap, strict=True)))
        yield (none & reads)[None, ..., None]
        none &= ~reads


def first_largest(
    parts: Sequence[Array], firsts: Iterable[np.ndarray] | None = None
) -> tuple[Array, Array]:
    """The entrywise maximum of `parts`, and the number of the first that has it.

    A part also wins where `firsts` is True for it: what came before it was padding.
    """
    best, winner = parts[0], jnp.zeros(parts[0].shape, np.min_scalar_type(len(parts)))
    firsts = itertools.repeat(np.zeros(1, bool)) if firsts is None else firsts
    for i, (part, first) in enumerate(zip(parts, firsts, strict=False)):
        wins = beats(part, best)
        if i > 0 and first.any():
            wins = wins | first
        best = jnp.where(wins, part, best)
        winner = jnp.where(wins, jnp.asarray(i, winner.dtype), winner)
    return best, winner


def beats(part: Array, best: Array) -> Array:
    """Where `part` takes the place of what came before it."""
    return (part > best) | (part != part)


@operator(static=("window",))
def avg_pool(
    x: X,
    window: Axes,
    *,
    stride: Axes | None = None,
    padding: Padding = "valid",
    dilation: Axes = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
) -> Y:
    """The mean under the window, of real cells or of padding too; 0 over padding alone.

    Cells that `ceil_mode` adds are never counted. Source: LeCun et al. 1989.
    """
    geometry = pool_windows(x, window, stride, padding, dilation, ceil_mode)
    total = reduce(jnp.add, taps(x.astype(accumulation_dtype(x.dtype)), geometry))
    return (total / count_cells(geometry, total.dtype, padding=count_include_pad)).astype(x.dtype)


@avg_pool.fwd
def avg_pool_fwd(x, **options):
    return avg_pool.forward(x, **options), Shape(x.shape)


@avg_pool.bwd
def avg_pool_bwd(shape, dy, *, count_include_pad, **options):
    geometry = pool_windows(shape, **options)
    each = dy.astype(accumulation_dtype(dy.dtype))
    each = each / count_cells(geometry, each.dtype, padding=count_include_pad)
    return (taps_adjoint([each] * math.prod(geometry.window), geometry).astype(dy.dtype),)


def count_cells(geometry: Windows, dtype: jnp.dtype, *, padding: bool = False) -> Array:
    """How many cells each place reads, (1, *out, 1), `padding` that was asked for among them or
    not; 1 where there are none."""
    counts = np.ones((1,) * len(geometry.size), int)
    for axis, (n, k, s, d, (lo, hi), extra, m) in enumerate(
        zip(
            geometry.size,
            geometry.window,
            geometry.stride,
            geometry.dilation,
            geometry.padding,
            geometry.extra,
            geometry.out,
            strict=True,
        )
    ):
        first, last = (-lo, n + hi - extra) if padding else (0, n)
        cells = s * np.arange(m)[:, None] + d * np.arange(k) - lo
        real = ((cells >= first) & (cells < last)).sum(1)
        counts = counts * np.expand_dims(real, [a for a in range(len(geometry.size)) if a != axis])
    return jnp.asarray(np.maximum(counts, 1)[None, ..., None], dtype)


def pool_windows(x, window, stride, padding, dilation, ceil_mode, *, name: str = "pool") -> Windows:
    """Where the window stands on x, an array or its shape; the options are those of `max_pool`."""
    size = getattr(x, "shape", x)[1:-1]
    stride = window if stride is None else stride
    return windows(name, size, window, stride, padding, dilation, ceil_mode=ceil_mode)


def validate_windows(name, x, *, ceil_mode, count_include_pad=False, **options):
    require_floats(name, x=x)
    require_rank(name, 3, x=x)
    require_flags(name, ceil_mode=ceil_mode, count_include_pad=count_include_pad)
    pool_windows(x, **options, ceil_mode=ceil_mode, name=name)


def distinct(shape):
    """For `Case.args`: entries at least 1/4 apart and away from 0, in random order, so that there
    are no ties and no kinks."""

    def draw(rng):
        n = math.prod(shape)
        order = rng.permutation(n)
        return ((order - n / 2 + 0.5) / 4).reshape(shape)

    return draw


GRID = (2, 6, 5, 3)
EXTREMES = {  # x (1, 5, 2); the last has sums and powers that overflow in float16
    "huge": normals((1, 5, 2), 1e9),
    "tiny": normals((1, 5, 2), 1e-30),
    "far from 0": normals((1, 5, 2), 32, 5e4),
}
CASES = (
    Case("plain", (distinct(GRID),), {"window": 2}),
    Case("overlapping", (distinct(GRID),), {"window": 3, "stride": (2, 1), "padding": "same"}),
    Case("dilated", (distinct(GRID),), {"window": (2, 2), "stride": 1, "dilation": (3, 2)}),
    Case("1-D", (distinct((2, 7, 3)),), {"window": 3, "padding": ((1, 0),)}),
    Case("3-D", (distinct((1, 4, 3, 4, 2)),), {"window": (2, 3, 2)}),
    Case("cut off", (distinct((2, 6, 4, 2)),), {"window": 3, "padding": 1, "ceil_mode": True}),
    Case("no examples", ((0, 4, 4, 2),), {"window": 2}),
    *(extreme(name, x, window=3, stride=1) for name, x in EXTREMES.items()),
    rejects("at least 3 axes", (4, 3), window=2),
    rejects("exceeds the padded input", (1, 4, 4, 1), window=5),
    rejects(r"window \(0, 0\) must be", (1, 4, 4, 1), window=0),
    rejects(
        "ceil_mode 'no' must be True or", (1, 4, 4, 1), window=2, ceil_mode="no", kind=TypeError
    ),
    rejects("x holds int32", ints((1, 4, 4, 1)), window=2, kind=TypeError),
)
for op in (max_pool, avg_pool):
    op.validate(partial(validate_windows, op.name))
    op.cases = CASES
max_pool.cases += (
    Case("ties", (lambda rng: np.ones((1, 4, 4, 1)),), {"window": 3, "stride": 1}, kink=True),
)
avg_pool.cases += (
    Case(
        "padding counts",
        (distinct((1, 4, 6, 2)),),
        {"window": 3, "padding": 1, "ceil_mode": True, "count_include_pad": True},
    ),
)
