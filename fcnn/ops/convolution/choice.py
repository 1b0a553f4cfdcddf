"""Which program computes a convolution's three sums.

Every implementation is a module with the same three functions, of one problem: the windows `at` and
the number of groups.

    forward(x, w)    y      from x and w
    dx(w, dy)        dx     from w and dy
    dw(x, dy)        dw     from x and dy
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax

from fcnn.ops.convolution import fourier, native, patches, shifts, tiles, winograd
from fcnn.ops.refusal import require
from fcnn.ops.window import Windows

LARGEST = 49  # taps, 7×7; a slice each takes 2 s to compile, and 10 s at 15×15, where lax is faster


class Implementation(NamedTuple):
    """The three sums, and what keeps them from a problem: a few words, or None."""

    forward: Callable
    dx: Callable
    dw: Callable
    refuses: Callable[[Windows, int], str | None] = lambda at, groups: None


IMPLS = {
    "lax": Implementation(native.forward, native.dx, native.dw),
    "im2col": Implementation(patches.forward, patches.dx, patches.dw),
    "tiled": Implementation(tiles.forward, tiles.dx, tiles.dw),
    "taps": Implementation(shifts.forward, shifts.dx, shifts.dw),
    "winograd": Implementation(winograd.forward, winograd.dx, winograd.dw, winograd.refuses),
    "fft": Implementation(fourier.forward, fourier.dx, fourier.dw, fourier.refuses),
}


def run(part: str, impl: str, *arrays, at: Windows, groups: int):
    """One of the three sums, `part`, by the implementation asked for.

    "auto" leaves it to XLA but on CPU, where "lax" leaves its fast path inside any loop and under
    vmap, and has none for groups: all three sums of 64×32×32×64 with a 3×3 kernel for every channel
    (depthwise) took it 287 ms, "tiled" 127 and "taps" 43.
    """
    by = lambda name: partial(getattr(IMPLS[name], part), at=at, groups=groups)
    if impl == "auto" and math.prod(at.window) > LARGEST:
        impl = "lax"
    if impl == "auto":
        on_cpu = "taps" if all(a.shape[-1] == groups for a in arrays) else "tiled"
        return jax.lax.platform_dependent(*arrays, cpu=by(on_cpu), default=by("lax"))
    return by(impl)(*arrays)


def require_served(name: str, impl: str, at: Windows, groups: int) -> None:
    """ValueError, in the name of `name`, where that implementation cannot serve such windows."""
    why = None if impl == "auto" else IMPLS[impl].refuses(at, groups)
    require(why is None, f"{name}: impl {impl!r} {why}")
