"""Where a window stands on a grid, for convolution and pooling alike.

Along each axis, with k the window, s the stride, d the dilation and (lo, hi) the padding,

    e = d (k - 1) + 1                       effective window: cells from its first tap to its last
    m = (size + lo + hi - e) // s + 1       output positions
    place p, tap i  ->  cell  s p + d i - lo    of the grid; padding where that is outside

With `ceil_mode` one more place may be cut off by the end: hi grows by what it lacks, unless it
would then lie wholly in the high padding.

`taps` reads the grid once per tap, in row-major window order, and `taps_adjoint` is its adjoint.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.validation import require, require_integers

Axes = int | Sequence[int]  # one number for every axis, or one each
Padding = int | str | Sequence[int | tuple[int, int]]


class Windows(NamedTuple):
    """Every place of a window on a grid; one entry per spatial axis in each field."""

    size: tuple[int, ...]
    window: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    extra: tuple[int, ...]  # of the high padding: cells that `ceil_mode` added

    @property
    def effective_window(self) -> tuple[int, ...]:
        return tuple(d * (k - 1) + 1 for k, d in zip(self.window, self.dilation, strict=True))

    @property
    def out(self) -> tuple[int, ...]:
        axes = zip(self.size, self.padding, self.effective_window, self.stride, strict=True)
        return tuple((n + lo + hi - r) // s + 1 for n, (lo, hi), r, s in axes)

    @property
    def span(self) -> tuple[int, ...]:
        """Cells from the first place to the last."""
        return tuple(s * (m - 1) + 1 for s, m in zip(self.stride, self.out, strict=True))

    @property
    def taps(self) -> Iterator[tuple[int, ...]]:
        """The first padded cell that each tap of the window reads, in row-major order."""
        axes = zip(self.window, self.dilation, strict=True)
        return itertools.product(*(range(0, d * k, d) for k, d in axes))


def windows(
    name: str,
    size: Sequence[int],
    window: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    *,
    ceil_mode: bool = False,
) -> Windows:
    """The places of `window` on a grid of `size`, with options as a user gave them.

    Raises: TypeError or ValueError, in the name of `name`, where they make no sense.
    """
    each = partial(per_axis, name, len(size))
    k, s, d = each("window", window), each("stride", stride), each("dilation", dilation)
    found = Windows(tuple(size), k, s, d, ((0, 0),) * len(size), (0,) * len(size))
    found = found._replace(padding=_pairs(name, padding, found))
    if ceil_mode:
        extra = tuple(
            map(_lacking, found.size, found.padding, found.effective_window, found.stride)
        )
        pairs = zip(found.padding, extra, strict=True)
        found = found._replace(padding=tuple((lo, hi + e) for (lo, hi), e in pairs), extra=extra)
    if not all(m > 0 for m in found.out):
        cells = tuple(n + lo + hi for n, (lo, hi) in zip(size, found.padding, strict=True))
        raise ValueError(
            f"{name}: a window reaching {found.effective_window} exceeds the padded input {cells}"
        )
    return found


def windows_giving(
    name: str, out: Sequence[int], window: Any, stride: Any, padding: Any, dilation: Any, extra: Any
) -> Windows:
    """The windows that stand at `out` places: `windows`, the other way round.

    Several grids have as many. "same" and "same_lower" mean out * stride cells; padding in numbers,
    or "valid", means the fewest, and `extra` cells more.

    Raises: TypeError or ValueError, in the name of `name`, where options make no sense.
    """
    each = partial(per_axis, name, len(out))
    k, s, d = each("window", window), each("stride", stride), each("dilation", dilation)
    extra = each("output_padding", extra, least=0)
    require(
        all(e < step for e, step in zip(extra, s, strict=True)),
        f"{name}: output_padding {extra} must be less than the stride {s}",
    )
    known = ("valid", "same", "same_lower")
    worded = isinstance(padding, str)
    require(not worded or padding in known, f"{name}: padding {padding!r} is none of {known}")
    if worded and padding != "valid":
        require(not any(extra), f"{name}: padding {padding!r} leaves no output_padding {extra}")
        return windows(name, [m * step for m, step in zip(out, s, strict=True)], k, s, padding, d)
    axes = zip(out, k, s, d, strict=True)
    covered = [step * (m - 1) + gap * (n - 1) + 1 for m, n, step, gap in axes]
    found = windows(name, covered, k, s, padding, d)
    axes = zip(covered, found.padding, extra, strict=True)
    size = tuple(n - lo - hi + e for n, (lo, hi), e in axes)
    require(min(size) > 0, f"{name}: padding {found.padding} leaves nothing of {found.size}")
    return found._replace(size=size)


def taps(x: Array, geometry: Windows, fill: float = 0) -> list[Array]:
    """What each tap of the window reads: x (n, *size, c) -> prod(window) times (n, *out, c)."""
    x = padded(x, geometry.padding, fill)
    n, c = x.shape[0], x.shape[-1]
    steps = (1, *geometry.stride, 1)
    ends = lambda tap: tuple(i + r for i, r in zip(tap, geometry.span, strict=True))
    return [lax.slice(x, (0, *tap, 0), (n, *ends(tap), c), steps) for tap in geometry.taps]


def taps_adjoint(parts: Sequence[Array], geometry: Windows) -> Array:
    """The adjoint of `taps`: each cell of the grid sums what was read from it.

    Counted from the padding's first cell, s q + r is read by the taps d i = s j + r, from place
    q - j. So cells with the same r sum parts as they are, shifted by j, and then all r are woven
    together: 2 ms for the gradient of 2×2 max pooling of 64×32×32×64, where setting each part's
    entries apart by the stride took 14.
    """
    dtype = parts[0].dtype
    rows = [
        -(-(n + lo) // s)
        for n, (lo, _), s in zip(geometry.size, geometry.padding, geometry.stride, strict=True)
    ]
    sums: dict[tuple[int, ...], Array] = {}
    for part, tap in zip(parts, geometry.taps, strict=True):
        j, r = zip(*map(divmod, tap, geometry.stride), strict=True)
        margins = [(b, q - m - b) for b, q, m in zip(j, rows, geometry.out, strict=True)]
        part = padded(part.astype(accumulation_dtype(dtype)), margins)
        sums[r] = sums[r] + part if r in sums else part
    return cropped(
        interleave(sums, geometry.stride), [lo for lo, _ in geometry.padding], geometry.size
    ).astype(dtype)


def interleave(cells: Mapping[tuple[int, ...], Array], stride: Sequence[int], r=()) -> Array:
    """Cells s q + r of a grid in order, from one array (n, *q, c) for each r; 0 for an r not there.

    Given an r, the grid of those that begin like it.
    """
    axis = len(r) + 1
    if len(r) == len(stride):
        return cells[r] if r in cells else jnp.zeros_like(next(iter(cells.values())))
    each = [interleave(cells, stride, (*r, i)) for i in range(stride[axis - 1])]
    shape = each[0].shape
    return jnp.stack(each, axis + 1).reshape(
        *shape[:axis], shape[axis] * len(each), *shape[axis + 1 :]
    )


def padded(x: Array, margins: Sequence[tuple[int, int]], fill: float = 0) -> Array:
    """x (n, *size, c) with so many cells more at both ends of each axis, or fewer, where negative.

    The last axis and c are padded as one: with inner loops that long, the program compiles in a
    sixth of the time on CPU, and runs in half.
    """
    *rest, size, c = x.shape
    *outer, (lo, hi) = margins
    ends = ((0, 0, 0), *((lo, hi, 0) for lo, hi in outer), (lo * c, hi * c, 0))
    x = lax.pad(x.reshape(*rest, size * c), jnp.asarray(fill, x.dtype), ends)
    return x.reshape(*x.shape[:-1], lo + size + hi, c)


def cropped(x: Array, starts: Sequence[int], size: Sequence[int]) -> Array:
    """As many cells of x (n, *cells, c) as `size` says, from `starts` on."""
    ends = [start + n for start, n in zip(starts, size, strict=True)]
    return lax.slice(x, (0, *starts, 0), (x.shape[0], *ends, x.shape[-1]))


def per_axis(name: str, rank: int, what: str, value: Any, least: int = 1) -> tuple[int, ...]:
    """The option `what` as one integer per spatial axis."""
    require_integers(name, **{what: value})
    values = tuple(value) if isinstance(value, Sequence) else (value,) * rank
    require(len(values) == rank, f"{name}: {what} {values} needs {rank}, one per spatial axis")
    require(all(v >= least for v in values), f"{name}: {what} {values} must be at least {least}")
    return values


def _pairs(name: str, padding: Any, geometry: Windows) -> tuple[tuple[int, int], ...]:
    rank = len(geometry.size)
    if isinstance(padding, str):
        known = tuple(VOCABULARY)
        require(padding in known, f"{name}: padding {padding!r} is none of {known}")
        return tuple(
            map(VOCABULARY[padding], geometry.size, geometry.effective_window, geometry.stride)
        )
    each = tuple(padding) if isinstance(padding, Sequence) else (padding,) * rank
    pairs = tuple(tuple(p) if isinstance(p, Sequence) else (p, p) for p in each)
    require(len(pairs) == rank, f"{name}: padding {pairs} needs {rank} pairs, one per spatial axis")
    for pair in pairs:
        require_integers(name, padding=pair)
    fine = all(len(p) == 2 and min(p) >= 0 for p in pairs)
    require(fine, f"{name}: padding {pairs} must be pairs of numbers that are at least 0")
    return tuple((lo, hi) for lo, hi in pairs)


def _lacking(size, pair, effective_window, stride):
    """Cells that the place after the last lacks; 0 if it lies wholly in the high padding."""
    lo, hi = pair
    cells = (effective_window - size - lo - hi) % stride
    return cells if cells < effective_window - hi else 0


def _missing(size, effective_window, stride):
    """Padding in all that gives ceil(size / stride) places."""
    return max(0, (math.ceil(size / stride) - 1) * stride + effective_window - size)


VOCABULARY = {  # (size, reach, stride) -> (lo, hi)
    "valid": lambda n, r, s: (0, 0),
    "same": lambda n, r, s: (_missing(n, r, s) // 2, _missing(n, r, s) - _missing(n, r, s) // 2),
    "same_lower": lambda n, r, s: (
        _missing(n, r, s) - _missing(n, r, s) // 2,
        _missing(n, r, s) // 2,
    ),
    "causal": lambda n, r, s: (r - 1, 0),
    "full": lambda n, r, s: (r - 1, r - 1),
}
