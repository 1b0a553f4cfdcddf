"""The gradient of a convolution with respect to x, as forward convolutions of dy at stride 1.

Count cells from the first cell of the padding, and write cells as s q + r with 0 <= r < s. For each
tap i, let d i = s j + r. Then cell s q + r is read at output position q - j, by each tap i that has
remainder r. There are two ways to compute dx:

- One convolution per remainder. With g = gcd(s, d), successive taps of one remainder differ by
  s / g in i and by d / g in j. So dx at the cells of one remainder is a convolution of dy with
  these taps in reverse order, at dilation d / g, summed over features.
- One convolution with c s^rank output channels, one for each channel and remainder, at dilation 1.
  A remainder with fewer taps has taps of zeros, so an infinite dy makes NaN there. This takes at
  most 2^rank times as many multiplications, but it reads dy once. Few channels make it faster
  (Shi et al., arXiv:1609.05158: sub-pixel convolution).

At stride 1 both are the same. Milliseconds for dx on two cores of an Intel Xeon, minima of 9
rounds, and seconds of compilation in brackets:

    shape                                one convolution    one per remainder    "lax"
    8×224×224×3→64, 11×11, stride 4           11 (0.2)           81 (1.1)        65 (0.1)
    8×224×224×3→192, 16×16, stride 16          6 (0.2)           22 (9.8)       180 (0.4)
    64×32×32×64→128, 3×3, stride 2            31 (0.2)           33 (0.3)        30 (0.1)
"""

import itertools
import math
import operator
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax.numpy as jnp

from fcnn.ops.taps import cropped, interleave
from fcnn.ops.window import Windows

# There is one convolution if it has at most FEW_CHANNELS output channels, or if at most a share of
# FEW_ZEROS of its taps is zero.
FEW_CHANNELS = 256
FEW_ZEROS = 0.1


class Cells(NamedTuple):
    """The cells s q + r along one axis, and the convolution of dy that computes dx there."""

    r: int
    taps: slice
    window: int
    dilation: int
    padding: tuple[int, int]  # negative values crop


def dx_by(forward: Callable, w, dy, *, geometry: Windows, groups: int):
    """dx (n, *size, c) from w (*window, c, o) and dy (n, *out, o).

    forward(dy, kernel, geometry=, groups=) sums over the last axis of the kernel, its features.
    So the last two axes of the kernel are not exchanged, which can take as long as the products.
    """
    c = w.shape[-2]
    if 0 in geometry.size:  # x has no cells
        return jnp.zeros((dy.shape[0], *geometry.size, groups * c), dy.dtype)
    one = _few_zeros(c, geometry) and max(geometry.dilation) == 1
    cells = (_all_at_once if one else _by_remainder)(forward, w, dy, geometry, groups)
    starts = [lo % s for (lo, _), s in zip(geometry.padding, geometry.stride, strict=True)]
    return cropped(cells, starts, geometry.size)


def _few_zeros(c, geometry):
    taps = math.prod(geometry.window)
    axes = zip(geometry.window, geometry.stride, strict=True)
    filled = math.prod(s * -(-k // s) for k, s in axes)
    return c * math.prod(geometry.stride) <= FEW_CHANNELS or taps >= (1 - FEW_ZEROS) * filled


def _by_remainder(forward, w, dy, geometry, groups):
    axes = zip(*geometry[:5], geometry.out, strict=True)
    dx_by_remainder = {}
    for cells in itertools.product(*(list(_cells(*axis)) for axis in axes)):
        r, taps, window, dilation, padding = zip(*cells, strict=True)
        on_dy = _on_output(geometry, window, dilation, padding)
        kernel = jnp.flip(w[taps], range(len(r)))
        dx_by_remainder[r] = forward(dy, kernel, geometry=on_dy, groups=groups)
    return interleave(dx_by_remainder, geometry.stride)


def _all_at_once(forward, w, dy, geometry, groups):
    stride, rank, (c, o) = geometry.stride, len(geometry.stride), w.shape[-2:]
    alternate = lambda a, b: tuple(itertools.chain.from_iterable(zip(a, b, strict=True)))
    window = tuple(-(-k // s) for k, s in zip(geometry.window, stride, strict=True))
    missing = zip(window, stride, geometry.window, strict=True)
    w = jnp.pad(w, [*((0, j * s - k) for j, s, k in missing), (0, 0), (0, 0)])
    w = w.reshape(*alternate(window, stride), c, o)
    w = w.transpose(*range(0, 2 * rank, 2), *range(1, 2 * rank, 2), 2 * rank, 2 * rank + 1)
    kernel = jnp.flip(w.reshape(*window, math.prod(stride) * c, o), range(rank))

    ends = [_ends(*axis) for axis in zip(geometry.size, stride, geometry.padding, strict=True)]
    axes = zip(ends, window, geometry.out, strict=True)
    padding = tuple((j - 1 - first, end - m) for (first, end), j, m in axes)
    on_dy = _on_output(geometry, window, geometry.dilation, padding)
    dx = forward(dy, kernel, geometry=on_dy, groups=groups)

    count = [end - first for first, end in ends]
    dx = dx.reshape(dy.shape[0], *count, groups, *stride, c)
    q, r = range(1, rank + 1), range(rank + 2, 2 * rank + 2)
    dx = dx.transpose(0, *alternate(q, r), rank + 1, 2 * rank + 2)
    return dx.reshape(dy.shape[0], *map(operator.mul, count, stride), groups * c)


def _cells(n, k, s, d, padding, m) -> Iterator[Cells]:
    """The cells of every remainder r that a tap has."""
    first, end = _ends(n, s, padding)
    step, g = s // math.gcd(s, d), math.gcd(s, d)
    for i in range(min(step, k)):
        j, r = divmod(d * i, s)
        taps = slice(i, None, step)
        window = len(range(k)[taps])
        lo = j + d // g * (window - 1) - first
        yield Cells(r, taps, window, d // g, (lo, end - m - j))


def _ends(n, s, padding):
    """The first q whose cells are in x, and the end of the grid."""
    lo, _ = padding
    return lo // s, -(-(lo + n) // s)


def _on_output(geometry, window, dilation, padding):
    """Windows on dy, at stride 1."""
    rank = len(window)
    return Windows(geometry.out, window, (1,) * rank, dilation, padding, (0,) * rank)
