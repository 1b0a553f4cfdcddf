"""Geometry of sliding windows, shared by convolution and pooling.

Along each axis, with k the window, s the stride, d the dilation and (lo, hi) the padding,

    e = d (k - 1) + 1                       effective window: cells from its first tap to its last
    m = (size + lo + hi - e) // s + 1       output positions
    output position p, tap i  ->  cell  s p + d i - lo    of the grid; padding if outside of it

With `ceil_mode` the last window may extend beyond the padded grid: hi grows by the missing cells,
unless that window would lie wholly in the high padding. `taps.py` reads the cells.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from fcnn.ops.validation import require, require_integers

Axes = int | Sequence[int]  # one integer for every axis, or one per axis
Padding = int | str | Sequence[int | tuple[int, int]]


class Windows(NamedTuple):
    """A sliding window on a grid; each field has one entry per spatial axis."""

    size: tuple[int, ...]
    window: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    extra: tuple[int, ...]  # cells of the high padding that `ceil_mode` added

    @property
    def effective_window(self) -> tuple[int, ...]:
        """Cells from the first tap to the last."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.window, self.dilation, strict=True))

    @property
    def out(self) -> tuple[int, ...]:
        """Output positions."""
        axes = zip(self.size, self.padding, self.effective_window, self.stride, strict=True)
        return tuple((n + lo + hi - e) // s + 1 for n, (lo, hi), e, s in axes)

    @property
    def span(self) -> tuple[int, ...]:
        """Cells from the first output position to the last."""
        return tuple(s * (m - 1) + 1 for s, m in zip(self.stride, self.out, strict=True))

    @property
    def taps(self) -> Iterator[tuple[int, ...]]:
        """The padded cell that each tap reads at output position 0, in row-major order."""
        axes = zip(self.window, self.dilation, strict=True)
        return itertools.product(*(range(0, d * k, d) for k, d in axes))


def windows(
    size: Sequence[int],
    window: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    *,
    ceil_mode: bool = False,
) -> Windows:
    """The windows on a grid of `size`, from the options of a public function.

    Raises: TypeError or ValueError for an invalid option.
    """
    each = partial(per_axis, len(size))
    k, s, d = each("window", window), each("stride", stride), each("dilation", dilation)
    geometry = Windows(tuple(size), k, s, d, ((0, 0),) * len(size), (0,) * len(size))
    geometry = geometry._replace(padding=_padding_pairs(padding, geometry))
    if ceil_mode:
        axes = zip(geometry.size, geometry.padding, geometry.effective_window, s, strict=True)
        extra = tuple(_ceil_mode_cells(*axis) for axis in axes)
        pairs = zip(geometry.padding, extra, strict=True)
        pairs = tuple((lo, hi + cells) for (lo, hi), cells in pairs)
        geometry = geometry._replace(padding=pairs, extra=extra)
    if not all(m > 0 for m in geometry.out):
        cells = tuple(n + lo + hi for n, (lo, hi) in zip(size, geometry.padding, strict=True))
        raise ValueError(
            f"effective window {geometry.effective_window} exceeds the padded input {cells}"
        )
    return geometry


def windows_of_output(
    out: Sequence[int], window: Any, stride: Any, padding: Any, dilation: Any, extra: Any
) -> Windows:
    """The windows with `out` output positions: the inverse of `windows`.

    Grids of several sizes have `out` output positions. "same" and "same_lower" choose out * stride
    cells. Numeric padding and "valid" choose the smallest grid, and `extra` cells more.

    Raises: TypeError or ValueError for an invalid option.
    """
    each = partial(per_axis, len(out))
    k, s, d = each("window", window), each("stride", stride), each("dilation", dilation)
    extra = each("output_padding", extra, least=0)
    require(
        all(e < step for e, step in zip(extra, s, strict=True)),
        f"output_padding {extra} must be less than stride {s}",
    )
    known = ("valid", "same", "same_lower")
    named = isinstance(padding, str)
    require(not named or padding in known, f"unknown padding {padding!r}; expected one of {known}")
    if named and padding != "valid":
        require(
            not any(extra),
            f"padding {padding!r} fixes the output size; omit output_padding {extra}",
        )
        return windows([m * step for m, step in zip(out, s, strict=True)], k, s, padding, d)
    axes = zip(out, k, s, d, strict=True)
    covered = [step * (m - 1) + gap * (n - 1) + 1 for m, n, step, gap in axes]
    geometry = windows(covered, k, s, padding, d)
    axes = zip(covered, geometry.padding, extra, strict=True)
    size = tuple(n - lo - hi + e for n, (lo, hi), e in axes)
    require(min(size) > 0, f"padding {geometry.padding} crops all of the output {geometry.size}")
    return geometry._replace(size=size)


def per_axis(rank: int, what: str, value: Any, least: int = 1) -> tuple[int, ...]:
    """Option `what` as one integer per spatial axis."""
    require_integers(**{what: value})
    values = tuple(value) if isinstance(value, Sequence) else (value,) * rank
    require(len(values) == rank, f"{what} {values} needs length {rank}: one entry per spatial axis")
    require(all(v >= least for v in values), f"{what} {values} must be at least {least}")
    return values


def _padding_pairs(padding: Any, geometry: Windows) -> tuple[tuple[int, int], ...]:
    rank = len(geometry.size)
    if isinstance(padding, str):
        known = tuple(NAMED_PADDINGS)
        require(padding in known, f"unknown padding {padding!r}; expected one of {known}")
        return tuple(
            map(NAMED_PADDINGS[padding], geometry.size, geometry.effective_window, geometry.stride)
        )
    each = tuple(padding) if isinstance(padding, Sequence) else (padding,) * rank
    pairs = tuple(tuple(p) if isinstance(p, Sequence) else (p, p) for p in each)
    require(len(pairs) == rank, f"padding {pairs} needs length {rank}: one pair per spatial axis")
    for pair in pairs:
        require_integers(padding=pair)
    fine = all(len(p) == 2 and min(p) >= 0 for p in pairs)
    require(fine, f"padding {pairs} must be pairs of integers that are at least 0")
    return tuple((lo, hi) for lo, hi in pairs)


def _ceil_mode_cells(size, pair, effective_window, stride):
    """Cells missing for one more window; 0 if that window lies wholly in the high padding."""
    lo, hi = pair
    cells = (effective_window - size - lo - hi) % stride
    return cells if cells < effective_window - hi else 0


def _same_padding(size, effective_window, stride):
    """The smaller and the larger half of the padding for ceil(size / stride) output positions."""
    total = max(0, (math.ceil(size / stride) - 1) * stride + effective_window - size)
    return total // 2, total - total // 2


NAMED_PADDINGS = {  # (size, effective window, stride) -> (lo, hi)
    "valid": lambda n, e, s: (0, 0),
    "same": lambda n, e, s: _same_padding(n, e, s),
    "same_lower": lambda n, e, s: _same_padding(n, e, s)[::-1],
    "causal": lambda n, e, s: (e - 1, 0),
    "full": lambda n, e, s: (e - 1, e - 1),
}
