"""Mistakes of size: G = a R with one number a, or one for each entry of some axes.

a = 0: stopped. a = 1/n or n for a count n of entries: a mean where a sum belongs, or the reverse.
a that undoes 1 / (1 - rate): dropout's scale. Else a is named if it has a name, as -1, ½ or π.
"""

import itertools
import math
from collections.abc import Iterator

import numpy as np

from fcnn.checker.diagnosis.context import Context, Hypothesis, times
from fcnn.checker.diagnosis.order import listed


def stopped(s: Context) -> Iterator[Hypothesis]:
    yield Hypothesis("stopped", "is 0 everywhere: the gradient stops before it", np.zeros_like(s.R))


def constant(s: Context) -> Iterator[Hypothesis]:
    energy = float(np.vdot(s.R, s.R))
    a = float(np.vdot(s.R, s.G)) / energy if energy > 0 else 0.0
    if a == 0:
        return
    yield Hypothesis(*_named(s, a), a * s.R)


def _named(s, a):
    says = f"equals {times(a)} × the right gradient"
    if (
        sum(y.size for y in s.y) == 1
        and abs(a * max(dy.sum() for dy in s.dy if dy.size) - 1) < 1e-7
    ):
        return "missing factor", "does not depend on dy: it is right for dy = 1"
    if a > 0 and s.alone and _kept(s):
        kept = f"{1 / _scale(s):.6g}"
        return "dropout scale", f"{says}: what is kept must be divided by 1 − rate = {kept}"
    for n, what in _counts(s):
        if abs(a * n - 1) < 1e-7:
            return "mean for sum", f"{says}: a mean over {what}, where a sum belongs"
        if abs(a / n - 1) < 1e-7:
            return "sum for mean", f"{says}: a sum over {what}, where a mean belongs"
    for n, what in _counts(s) if times(a)[-1].isdigit() and "." in times(a) else ():
        for root, name in ((math.sqrt(n), f"√{n}"), (1 / math.sqrt(n), f"1/√{n}")):
            if abs(a / root - 1) < 1e-7:
                return "constant factor", f"{says}, {name}: there are {what[4:]}"
    return "constant factor", says


def _kept(s):
    """Whether R is dy, scaled, or 0, whatever the sign of x: what dropout does."""
    zero = s.R == 0
    if not zero.any() or zero.all() or s.dy[0].shape != s.R.shape:
        return False
    ratio = s.R[~zero] / s.dy[0][~zero]
    mixed = len(np.unique(np.sign(s.own[zero]))) > 1 and len(np.unique(np.sign(s.own[~zero]))) > 1
    return mixed and np.ptp(ratio) <= 1e-9 * abs(ratio[0])


def _scale(s):
    zero = s.R == 0
    return float((s.R[~zero] / s.dy[0][~zero])[0])


def _counts(s):
    """Numbers of entries that a sum or a mean may run over, from 3 on, and what they count."""
    seen = {}
    arrays = [("y", y) for y in s.y] + list(zip(s.names, s.x, strict=True))
    for name, a in arrays:
        for k, n in enumerate(a.shape):
            seen.setdefault(n, f"the {n} entries of axis {k} of {name}")
    for name, a in arrays:
        for first, last in itertools.combinations(range(a.ndim + 1), 2):
            n = math.prod(a.shape[first:last])
            axes = ", ".join(map(str, range(first, last)))
            seen.setdefault(n, f"the {n} entries of axes {axes} of {name}")
    for y in s.y:
        if s.own.size and y.size % s.own.size == 0:
            n = y.size // s.own.size
            seen.setdefault(n, f"the {n} entries of y for each of {s.names[s.i]}")
    return [(n, what) for n, what in seen.items() if n > 2]


def dropout_mask(s: Context) -> Iterator[Hypothesis]:
    if not (s.alone and _kept(s)):
        return
    a, dy = _scale(s), s.dy[0]
    says = "lets dy through where the right gradient is 0: the mask is missing"
    yield Hypothesis("dropout mask", says, a * dy)
    yield Hypothesis("dropout mask", f"{says}, and the scale {times(a)} too", dy)
    says = "is dy, scaled, under another mask than the forward's"
    yield Hypothesis("dropout mask", says, np.where(s.G != 0, a * dy, 0))


def of_an_argument(s: Context) -> Iterator[Hypothesis]:
    """A factor forgotten, or once too often: R = G a, or G = R a, a another argument, or dy."""
    for name, a in [*((name, a) for _, name, a in s.others()), *(("dy", dy) for dy in s.dy)]:
        fits = a.ndim <= s.R.ndim and all(
            m in (1, n) for m, n in zip(a.shape[::-1], s.R.shape[::-1], strict=False)
        )
        if fits and a.size > 1:
            yield Hypothesis("missing factor", f"lacks the factor {name}", s.R / a)
            yield Hypothesis("missing factor", f"has the factor {name} once too often", s.R * a)


def by_axis(s: Context) -> Iterator[Hypothesis]:
    """A factor for each entry of some axes, such as 1 / standard deviation."""
    for axes in _some(s.R.ndim):
        rest = tuple(k for k in range(s.R.ndim) if k not in axes)
        energy = np.square(s.R).sum(rest, keepdims=True)
        a = (s.R * s.G).sum(rest, keepdims=True) / np.where(energy > 0, energy, 1)
        if 2 * a.size > s.R.size or not a.any() or (np.abs(a - 1) <= s.tolerance).any():
            continue
        shown = ", ".join(f"{v:.4g}" for v in a.ravel()[:3])
        says = f"is off by one factor for each entry of {listed(axes)} ({shown}, ...)"
        yield Hypothesis("missing factor", says, a * s.R)


def reduced_too_far(s: Context) -> Iterator[Hypothesis]:
    for axes in [*_some(s.R.ndim), tuple(range(s.R.ndim))]:
        if math.prod(s.R.shape[k] for k in axes) > 1:
            for done, reduced in (("summed", np.sum), ("averaged", np.mean)):
                same = np.broadcast_to(reduced(s.R, axes, keepdims=True), s.R.shape)
                says = f"is the same along {listed(axes)}: it was {done} over them too"
                yield Hypothesis("reduced too far", says, same)


def _some(rank):
    """Sets of axes, but for all of them."""
    for size in range(1, rank):
        yield from itertools.combinations(range(rank), size)
