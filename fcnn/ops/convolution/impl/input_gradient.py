"""The gradient in x of a convolution, as convolutions of dy by whatever computes those.

Let d i = s j + r, 0 <= r < s. Counted from the padding's first cell, s q + r is read by the taps i
with that r, from place q - j; with g = gcd(s, d), they are s / g apart in i and d / g in j. So the
cells of one r are a convolution of dy at stride 1 and dilation d / g, by these taps alone, flipped,
that sums over features and leaves channels. At stride 1 that is one, with all taps.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax.numpy as jnp

from fcnn.ops.window import Windows, cropped, interleave


class Cells(NamedTuple):
    """The cells s q + r along one axis, and the convolution that gives them."""

    r: int
    taps: slice
    window: int
    dilation: int
    padding: tuple[int, int]  # cropping, where negative


def dx_by(forward: Callable, w, dy, *, geometry: Windows, groups: int):
    """dx (n, *size, c) from w (*window, c, o) and dy (n, *out, o).

    forward(dy, kernel, at=, groups=) sums over the kernel's last axis, its features, and leaves its
    channels: to exchange the two beforehand can cost as much as the products.
    """
    if 0 in geometry.size:  # only padding was read
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
        places = Windows(geometry.out, window, ones, dilation, padding, zeros)
        found[r] = forward(dy, kernel, geometry=places, groups=groups)
    starts = [lo % s for (lo, _), s in zip(geometry.padding, geometry.stride, strict=True)]
    return cropped(interleave(found, geometry.stride), starts, geometry.size)


def _cells(n, k, s, d, padding, m) -> Iterator[Cells]:
    """For every r that some tap has: cells from q = lo // s up to the grid's end."""
    first, step, g = padding[0] // s, s // math.gcd(s, d), math.gcd(s, d)
    count = -(-(padding[0] + n) // s) - first
    for i in range(min(step, k)):
        j, r = divmod(d * i, s)
        taps = slice(i, None, step)
        window = len(range(k)[taps])
        lo = j + d // g * (window - 1) - first
        yield Cells(r, taps, window, d // g, (lo, count - m - j + first))
