"""Choice of the program that computes a convolution's three sums.

Every implementation is a module with the same three functions. Each function takes the windows,
`geometry`, and the number of groups.

    forward(x, w)    y      from x and w
    dx(w, dy)        dx     from w and dy
    dw(x, dy)        dw     from x and dy
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax

from fcnn.ops.convolution.impl import fft, im2col, lax, lax_forward, taps, tiled, winograd
from fcnn.ops.validation import require
from fcnn.ops.window import Windows


class Implementation(NamedTuple):
    """The three sums, and a function that returns why windows are not supported, or None."""

    forward: Callable
    dx: Callable
    dw: Callable
    unsupported: Callable[[Windows, int], str | None] = lambda geometry, groups: None


IMPLS = {
    "lax": Implementation(lax.forward, lax.dx, lax.dw),
    "lax_forward": Implementation(lax_forward.forward, lax_forward.dx, lax_forward.dw),
    "im2col": Implementation(im2col.forward, im2col.dx, im2col.dw),
    "tiled": Implementation(tiled.forward, tiled.dx, tiled.dw),
    "taps": Implementation(taps.forward, taps.dx, taps.dw),
    "winograd": Implementation(winograd.forward, winograd.dx, winograd.dw, winograd.unsupported),
    "fft": Implementation(fft.forward, fft.dx, fft.dw, fft.unsupported),
}


class ConvShape(NamedTuple):
    """The static facts that `impl="auto"` depends on."""

    part: str  # "forward", "dx" or "dw"
    geometry: Windows
    groups: int
    c: int  # channels of x, of all groups together
    o: int  # features of y, of all groups together

    @property
    def rank(self) -> int:
        return len(self.geometry.size)

    @property
    def strided(self) -> bool:
        return max(self.geometry.stride) > 1


def _by_taps(p: ConvShape) -> bool:
    """Whether there is one tap, or few channels in a group. Many taps are slow to compile."""
    k = math.prod(p.geometry.window)
    if k == 1:
        return not _pointwise_volumes(p)
    if p.c // p.groups > taps.FEW_CHANNELS:
        return False
    if p.groups > 1:
        return k <= 49
    if p.part == "dw":
        # In 1-D and 2-D, dw reads x once per tap: for few taps and many features.
        return k <= 27 if p.rank > 2 else k <= 9 and p.c > 1 and p.o >= 32 and not p.strided
    few = p.part == "forward" and (p.rank == 1 or (p.rank == 2 and p.o > 16))
    return k * p.c <= (27 if few else 108)


def _by_lax_forward(p: ConvShape) -> bool:
    """Whether XLA's own convolution is fastest.

    It is for few channels, one axis, large windows, large images, dilation, and some strides.
    """
    if p.groups > 1:
        return p.rank == 1 and p.part != "dw"
    if p.rank == 1 or math.prod(p.geometry.window) > (9 if p.rank == 2 else 27):
        return True
    if p.rank > 2:
        return _pointwise_volumes(p)
    return _lax_strided(p) if p.strided else _lax_unstrided(p)


def _pointwise_volumes(p: ConvShape) -> bool:
    """Whether y or dx of a window of 1 is one matrix product, with three axes."""
    one = p.rank == 3 and math.prod(p.geometry.window) == 1 and not p.strided
    return one and p.groups == 1 and p.part != "dw"


def _lax_strided(p: ConvShape) -> bool:
    if p.part == "forward":
        return True
    if p.part == "dx":
        return p.c * math.prod(p.geometry.stride) <= 64
    return math.prod(p.geometry.out) < 100 or p.c < 32


def _lax_unstrided(p: ConvShape) -> bool:
    least = min(p.c, p.o)
    if p.part == "dw":
        aligned = p.c % 8 == p.o % 8 == 0
        return least < (32 if aligned else 48)
    large = least <= 64 and math.prod(p.geometry.out) > 10_000
    return least < 48 or large or not _winograd(p)


def _strided_dx(p: ConvShape) -> bool:
    return p.part == "dx" and p.groups == 1 and p.strided


def _winograd(p: ConvShape) -> bool:
    supported = IMPLS["winograd"].unsupported(p.geometry, p.groups) is None
    return supported and min(p.c, p.o) // p.groups >= (32 if p.rank < 3 else 16)


# "auto" on CPU: the first entry whose condition holds. Milliseconds for y, dx and dw on two cores
# of an AMD EPYC with AVX-512, November 2026; batch 64, window 3×3 and stride 1 unless the row
# shows other values.
#
#   shape                           impl           y / dx / dw      "lax"             "tiled"
#   32×32×64, depthwise             taps           3 / 2 / 14       115 / 118 / 103
#   14×14×256→256, 1×1              taps           9 / 9 / 15       19 / 20 / 49
#   32×32×16→16                     lax_forward    5 / 5 / –        5 / 3 / –         10 / 7 / –
#     the same in a loop, batch 16  lax_forward    1 / 1 / –        2 / 15 / –
#   256×64→64, 1-D, batch 32        lax_forward    1.2 / 1.2 / –    1.2 / 1.2 / –
#   224×224×3→64, 7×7, stride 2,
#     batch 8                       lax_forward    22 / 48 / –      22 / 83 / –
#   32×32×64→128, stride 2          taps           – / 30 / –       – / 43 / –
#   32×32×32→64, stride 2           taps           – / 7 / –        – / 9 / –         – / 11 / –
#   32×32×64→64                     winograd       30 / 28 / 38     60 / 51 / 96
#   8×8×256→256                     winograd       15 / 17 / 20     25 / 27 / 38
#   16×16×128→128, 8 groups         tiled          24 / 24 / 16     71 / 85 / 1480
#   32×32×64→128, stride 2          tiled          – / – / 29       – / – / 28
#   16×16×64→64 in a loop,
#     batch 16                      "auto"         2 / 2 / 3        3 / 9 / 260
#
# Milliseconds on two cores of an Intel Xeon with AVX-512, which also ran other programs: minima of
# 7 rounds. Seconds of compilation are in brackets.
#
#   shape                           part   lax_forward    "lax"         "tiled"
#   28×28×1→6, 5×5, batch 128       dw     5 (0.2)        5 (0.1)       7 (0.6)
#   28×28×64→64, 5×5, batch 16      dw     53 (0.2)       53 (0.2)      73 (0.8)
#   224×224×3→64, 7×7, stride 2,
#     batch 8                       dw     140 (0.2)      148 (0.2)     137 (1.0)
#   32×32×16→16, loop, batch 16     dw     7 (0.3)        230 (0.2)     6 (0.7)
#   32×32×64→128, stride 2          y      49 (0.0)       48 (0.0)      99 (1.2)
#   32×32×64→128, stride 2          dw     183 (0.3)      187 (0.3)     83 (1.0)
#   16×16×128→128, stride 2         dw     34 (0.3)       32 (0.3)      43 (0.8)
#
# Milliseconds on the same processor, without other programs: minima of 9 rounds or more.
#
#   shape                           part   impl                "lax"    other
#   224×224×3→64, 11×11, stride 4,
#     batch 8                       dx     lax_forward  10     28       –
#   16000×1→64, 1-D, window 80,
#     stride 4, batch 8             dx     taps          5     11       lax_forward  15
#   224×224×64→64, batch 2          y      lax_forward  51     51       winograd     75
#   16×16×32→32, batch 128          dw     winograd     15     35       lax_forward  35
#   56×56×256→512, 1×1, stride 2,
#     batch 8                       dw     taps         21    135       –
#   56×56×256→256, dilation 2,
#     batch 4                       y      lax_forward  77     94       tiled       166
#   64×64×64×16→16, batch 1         y      winograd     99    376       tiled       144
#   1000×256→256, 1-D, 4 groups,
#     batch 8                       y      lax_forward  15     14       tiled        32
#
# Seconds of compilation on the AMD EPYC:
#
#   shape                           impl     part   compile
#   3 channels, 7×7                 taps     dw     0.7
#   depthwise, 7×7                  taps     dw     2.1
#   depthwise, 9×9                  taps     dw     2.5
#   32×32×32→64, stride 2           taps     dx     0.15
#   32×32×32→64, stride 2           tiled    dx     0.6
ON_CPU: tuple[tuple[str, Callable[[ConvShape], bool]], ...] = (
    ("taps", _by_taps),
    ("lax_forward", _by_lax_forward),
    ("taps", _strided_dx),
    ("winograd", _winograd),
    ("tiled", lambda p: True),
)


def on_cpu(part: str, geometry: Windows, groups: int, c: int, o: int) -> str:
    """The implementation that "auto" chooses on CPU, for x of c channels and y of o features."""
    return next(name for name, fits in ON_CPU if fits(ConvShape(part, geometry, groups, c, o)))


def compute(part: str, impl: str, *arrays, geometry: Windows, groups: int):
    """Compute one of the three sums, `part`, by the implementation `impl`.

    The result has the accumulation dtype: a bias may be added before the result is rounded.

    "auto" is "lax", except on CPU, where `ON_CPU` decides. On CPU the gradients of "lax" are slow
    inside loops, under vmap and for groups.
    """
    by = lambda name: partial(getattr(IMPLS[name], part), geometry=geometry, groups=groups)
    if impl != "auto":
        return by(impl)(*arrays)
    a, b = arrays
    c = groups * a.shape[-2] if part == "dx" else a.shape[-1]  # of w, or of x
    chosen = on_cpu(part, geometry, groups, c, b.shape[-1])
    return jax.lax.platform_dependent(*arrays, cpu=by(chosen), default=by("lax"))


def require_supported(impl: str, geometry: Windows, groups: int) -> None:
    """Raise ValueError if `impl` does not support these windows."""
    reason = None if impl == "auto" else IMPLS[impl].unsupported(geometry, groups)
    require(reason is None, f"impl {impl!r} {reason}")
