"""Max and average pooling: one number per window and channel.

With x[i] the cell that tap i of a window reads, at one output position,

    max       y = max_i x[i]            dx[i] = dy for the first maximum x[i], 0 for other i
    average   y = sum_i x[i] / count    dx[i] = dy / count

and a cell in several windows sums the gradients from all these windows (`taps_adjoint`). Max
pooling saves the tap of the maximum, and average pooling saves nothing. Ties go to the first
maximum in row-major window order. NaN counts as the maximum.

The program slices x once per tap of the window, so windows of hundreds of taps compile slowly.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from functools import reduce

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fcnn.ops.case import Case, extreme, ints, rejects
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import Shape, operator
from fcnn.ops.pooling.draws import EXTREMES, distinct
from fcnn.ops.pooling.pool_windows import count_cells, pool_windows, validate_windows
from fcnn.ops.taps import taps, taps_adjoint
from fcnn.ops.window import Axes, Padding

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
    """Maximum over each window, per channel.

    Shapes: x (n, *size, c) -> (n, *out, c),
            out = floor((size + lo + hi - dilation (window - 1) - 1) / stride) + 1 per axis.
    Options:
        window: cells along each axis, one int or one per axis.
        stride: step between windows in cells, one int or one per axis; `window` if None.
        padding: an int, a sequence of ints or pairs (lo, hi), "valid" (none), "same", "same_lower",
            "causal" or "full", as for `conv`; "valid". Padding is -inf.
        dilation: step between taps of a window in cells, one int or one per axis; 1.
        ceil_mode: round the output size up. The last window may extend beyond the padded input,
            but never lies wholly in the high padding; False.
    Units:  those of x. A window without cells of x gives -inf. NaN counts as the maximum.
    Raises: ValueError if no window fits the padded input; TypeError if x does not hold floats.
    Cost:   prod(window) comparisons per output. The gradient of ties goes to the first maximum.
    Source: Riesenhuber & Poggio 1999.

    >>> x = jnp.array([1.0, 5.0, 2.0, 3.0]).reshape(1, 4, 1)
    >>> fcnn.max_pool(x, 2).ravel()
    Array([5., 3.], dtype=float32)
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
    parts = (
        jnp.where(winner == i, dy, jnp.zeros_like(dy)) for i in range(math.prod(geometry.window))
    )
    return (taps_adjoint(list(parts), geometry),)


def _max_and_first_tap(x, geometry):
    """The maxima and their first taps. A cell of x that is -inf takes precedence over padding."""
    return first_largest(taps(x, geometry, fill=-jnp.inf), _first_real_taps(geometry))


def _first_real_taps(geometry):
    """For every tap, the output positions where it is the first tap that does not read padding."""
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
    only_padding_yet = np.ones(geometry.out, bool)
    for tap in itertools.product(*map(range, geometry.window)):
        reads = reduce(np.logical_and.outer, (r[:, i] for r, i in zip(real, tap, strict=True)))
        yield (only_padding_yet & reads)[None, ..., None]
        only_padding_yet &= ~reads


def first_largest(
    parts: Sequence[Array], firsts: Iterable[np.ndarray] | None = None
) -> tuple[Array, Array]:
    """The entrywise maximum of `parts`, and the index of the first part that has it.

    A part also replaces the maximum where `firsts` is True: all parts before it were padding.
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
    """Where `part` replaces the maximum `best`: it is larger, or NaN."""
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
    """Mean over each window, per channel.

    Shapes: x (n, *size, c) -> (n, *out, c),
            out = floor((size + lo + hi - dilation (window - 1) - 1) / stride) + 1 per axis.
    Options:
        window: cells along each axis, one int or one per axis.
        stride: step between windows in cells, one int or one per axis; `window` if None.
        padding: an int, a sequence of ints or pairs (lo, hi), "valid" (none), "same", "same_lower",
            "causal" or "full", as for `conv`; "valid". Padding adds 0 to the sum.
        dilation: step between taps of a window in cells, one int or one per axis; 1.
        ceil_mode: round the output size up. The last window may extend beyond the padded input,
            but never lies wholly in the high padding; False.
        count_include_pad: whether cells of padding count in the divisor. Cells that `ceil_mode`
            adds never count; False.
    Units:  those of x. A window without cells of x gives 0.
    Raises: ValueError if no window fits the padded input; TypeError if x does not hold floats.
    Cost:   prod(window) additions per output.
    Source: LeCun et al. 1989.

    >>> x = jnp.array([1.0, 5.0, 2.0, 3.0]).reshape(1, 4, 1)
    >>> fcnn.avg_pool(x, 2).ravel()
    Array([3. , 2.5], dtype=float32)
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


GRID = (2, 6, 5, 3)
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
    op.validate(validate_windows)
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
