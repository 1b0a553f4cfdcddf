"""The gradient of a convolution with respect to x, as forward convolutions of dy.

For each tap i, let d i = s j + r with 0 <= r < s. Count cells from the first cell of the padding.
Then cell s q + r is read at output position q - j, by each tap i that has remainder r. With
g = gcd(s, d), successive taps of one remainder differ by s / g in i and by d / g in j. So dx at the
cells of one remainder is a convolution of dy with these taps in reverse order, at stride 1 and
dilation d / g, summed over features. At stride 1, one convolution with all taps gives dx.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax.numpy as jnp

from fcnn.ops.taps import cropped, interleave
from fcnn.ops.window import Windows


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
    if 0 in geometry.size:  # x has no cells
        return jnp.zeros((dy.shape[0], *geometry.size, groups * w.shape[-2]), dy.dtype)
    axes = [
        list(_cells(*axis))
        for axis in zip(
            geometry.size,
            geometry.window,
            geometry.stride,
            geometry.dilation,
            geometry.padding,
            geometry.out,
            strict=True,
        )
    ]
    dx_by_remainder = {}
    rank = len(axes)
    for cells in itertools.product(*axes):
        r, taps, window, dilation, padding = zip(*cells, strict=True)
        kernel = jnp.flip(w[taps], range(rank))
        ones, zeros = (1,) * rank, (0,) * rank
        on_dy = Windows(geometry.out, window, ones, dilation, padding, zeros)
        dx_by_remainder[r] = forward(dy, kernel, geometry=on_dy, groups=groups)
    starts = [lo % s for (lo, _), s in zip(geometry.padding, geometry.stride, strict=True)]
    return cropped(interleave(dx_by_remainder, geometry.stride), starts, geometry.size)


def _cells(n, k, s, d, padding, m) -> Iterator[Cells]:
    """The cells of every remainder r that a tap has, from q = lo // s to the end of the grid."""
    first, step, g = padding[0] // s, s // math.gcd(s, d), math.gcd(s, d)
    count = -(-(padding[0] + n) // s) - first
    for i in range(min(step, k)):
        j, r = divmod(d * i, s)
        taps = slice(i, None, step)
        window = len(range(k)[taps])
        lo = j + d // g * (window - 1) - first
        yield Cells(r, taps, window, d // g, (lo, count - m - j + first))
