"""Which program computes a convolution's three sums.

Every implementation is a module with the same three functions. Each takes the windows, `geometry`,
and the number of groups.

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
    """The three sums, and what keeps them from a problem: a few words, or None."""

    forward: Callable
    dx: Callable
    dw: Callable
    refuses: Callable[[Windows, int], str | None] = lambda geometry, groups: None


IMPLS = {
    "lax": Implementation(lax.forward, lax.dx, lax.dw),
    "lax_forward": Implementation(lax_forward.forward, lax_forward.dx, lax_forward.dw),
    "im2col": Implementation(im2col.forward, im2col.dx, im2col.dw),
    "tiled": Implementation(tiled.forward, tiled.dx, tiled.dw),
    "taps": Implementation(taps.forward, taps.dx, taps.dw),
    "winograd": Implementation(winograd.forward, winograd.dx, winograd.dw, winograd.refuses),
    "fft": Implementation(fft.forward, fft.dx, fft.dw, fft.refuses),
}


class ConvShape(NamedTuple):
    """What a choice may depend on."""

    part: str  # "forward", "dx" or "dw"
    geometry: Windows
    groups: int
    c: int  # channels of x in all
    o: int  # features of y in all


def _few(p: ConvShape) -> bool:
    k = math.prod(p.geometry.window)
    return k == 1 or (p.c // p.groups <= taps.FEW and k <= (27 if p.groups == 1 else 49))


def _thin_long_or_large(p: ConvShape) -> bool:
    thin = min(p.c, p.o) < 32 and {*p.geometry.stride} == {1} and len(p.geometry.size) == 2
    return p.groups == 1 and (
        thin or len(p.geometry.size) == 1 or math.prod(p.geometry.window) > 27
    )


def _set_apart(p: ConvShape) -> bool:
    return p.part == "dx" and p.groups == 1 and max(p.geometry.stride) > 1


def _fit_for_winograd(p: ConvShape) -> bool:
    return (
        IMPLS["winograd"].refuses(p.geometry, p.groups) is None and min(p.c, p.o) // p.groups >= 32
    )


# On CPU the first that fits. Above each is what y, dx and dw took it, and after < what they took
# "lax": milliseconds on two cores with AVX-512, batch 64, 3×3 and stride 1 but where said. Inside a
# loop "lax" is another matter: 16×16×64→64, batch 16, takes 2, 2, 3 < 3, 9, 260 there.
ON_CPU: tuple[tuple[str, Callable[[ConvShape], bool]], ...] = (
    # 32×32×64, each channel by itself: 3, 2, 14 < 115, 118, 103
    # 14×14×256→256, 1×1: 9, 9, 15 < 19, 20, 49
    # but a slice for every tap compiles long: dw of 3 channels at 7×7 for 0.7 s, of each channel by
    # itself for 2.1, and at 9×9 for 2.5
    ("taps", _few),
    # 32×32×16→16: 5, 5, 5 < 5, 3, 9, where "tiled" takes 10, 7, 5; batch 16 in a loop: 1, 1, 2 < 2,
    # 15, 72
    # 256×64→64 along one axis, batch 32: 1.2, 1.2, 2.2 < 1.2, 1.2, 2.3
    # 224×224×3→64, 7×7, stride 2, batch 8: 22, 48, 43 < 22, 83, 43
    ("lax_forward", _thin_long_or_large),
    # dx alone of 32×32×64→128, stride 2: 30 < 43; of 32×32×32→64: 7 < 9, where "tiled" takes 11,
    # and 0.6 s to compile, this 0.15
    ("taps", _set_apart),
    # 32×32×64→64: 30, 28, 38 < 60, 51, 96; 8×8×256→256: 15, 17, 20 < 25, 27, 38
    ("winograd", _fit_for_winograd),
    # 16×16×128→128, 8 groups: 24, 24, 16 < 71, 85, 1480
    # y and dw of 32×32×64→128, stride 2: 28, 29 < 26, 28; of 16×16×128→128: 10, 14 < 14, 21
    ("tiled", lambda p: True),
)


def on_cpu(part: str, geometry: Windows, groups: int, c: int, o: int) -> str:
    """What "auto" is on CPU, for x of c channels and y of o features."""
    return next(name for name, fits in ON_CPU if fits(ConvShape(part, geometry, groups, c, o)))


def compute(part: str, impl: str, *arrays, geometry: Windows, groups: int):
    """One of the three sums, `part`, by the implementation asked for.

    It is left in the dtype that sums are kept in: a bias may be added before it is rounded.

    "auto" leaves it to XLA but on CPU, where the gradients of "lax" leave the fast path inside any
    loop and under vmap, and it has none for groups: there it is by `ON_CPU`.
    """
    by = lambda name: partial(getattr(IMPLS[name], part), geometry=geometry, groups=groups)
    if impl != "auto":
        return by(impl)(*arrays)
    a, b = arrays
    c = groups * a.shape[-2] if part == "dx" else a.shape[-1]  # of w, or of x
    chosen = on_cpu(part, geometry, groups, c, b.shape[-1])
    return jax.lax.platform_dependent(*arrays, cpu=by(chosen), default=by("lax"))


def require_served(name: str, impl: str, geometry: Windows, groups: int) -> None:
    """ValueError, in the name of `name`, where that implementation cannot serve such windows."""
    why = None if impl == "auto" else IMPLS[impl].refuses(geometry, groups)
    require(why is None, f"{name}: impl {impl!r} {why}")
