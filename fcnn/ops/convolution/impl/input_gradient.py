"""The gradient of a convolution with respect to x, as forward convolutions of dy.

Let d i = s j + r, 0 <= r < s. Counted from the first cell of the padding, cell s q + r is read by
the taps i with that r, at output position q - j. With g = gcd(s, d), these taps are s / g apart in
i and d / g apart in j. So the cells of one r are a convolution of dy at stride 1 and dilation
d / g, with these taps, flipped, summed over features. At stride 1 there is one such convolution,
with all taps.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax.numpy as jnp

from fcnn.ops.taps import cropped, interleave
from fcnn.ops.window import Windows


class Cells(NamedTuple):
    """The cells s q + r along one axis, and the convolution of dy that computes them."""

    r: int
    taps: slice
    window: int
    dilation: int
    padding: tuple[int, int]  # negative values crop


def dx_by(forward: Callable, w, dy, *, geometry: Windows, groups: int):
    """dx (n, *size, c) from w (*window, c, o) and dy (n, *out, o).

    forward(dy, kernel, geometry=, groups=) sums over the last axis of the kernel, its features.
    Exchanging channels and features beforehand can cost as much as the products.
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
    found = {}
    for each in itertools.product(*axes):
        r, taps, window, dilation, padding = zip(*each, strict=True)
        kernel = jnp.flip(w[taps], range(len(each)))
        ones, zeros = (1,) * len(each), (0,) * len(each)
        on_dy = Windows(geometry.out, window, ones, dilation, padding, zeros)
        found[r] = forward(dy, kernel, geometry=on_dy, groups=groups)
    starts = [lo % s for (lo, _), s in zip(geometry.padding, geometry.stride, strict=True)]
    return cropped(interleave(found, geometry.stride), starts, geometry.size)


def _cells(n, k, s, d, padding, m) -> Iterator[Cells]:
    """For every r that a tap has, the cells from q = lo // s to the end of the grid."""
    first, step, g = padding[0] // s, s // math.gcd(s, d), math.gcd(s, d)
    count = -(-(padding[0] + n) // s) - first
    for i in range(min(step, k)):
        j, r = divmod(d * i, s)
        taps = slice(i, None, step)
        window = len(range(k)[taps])
        lo = j + d // g * (window - 1) - first
        yield Cells(r, taps, window, d // g, (lo, count - m - j + first))
