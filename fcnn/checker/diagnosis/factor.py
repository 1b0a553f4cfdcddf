"""Mistakes of size: G = a R with one number a, or one for each entry of some axes.

a = 0: stopped. a = 1/n or n for a count n of entries: a mean where a sum belongs, or the reverse.
a that undoes 1 / (1 - rate): dropout's scale. Else a is named if it has a name, as -1, ½ or π.
"""

import itertools
import math
from collections.abc import Iterator

import numpy as np

from fcnn.checker.diagnosis.situation import Guess, Situation, times


def stopped(s: Situation) -> Iterator[Guess]:
    yield Guess("stopped", "is 0 everywhere: the gradient stops before it", np.zeros_like(s.R))


def constant(s: Situation) -> Iterator[Guess]:
    energy = float(np.vdot(s.R, s.R))
    a = float(np.vdot(s.R, s.G)) / energy if energy > 0 else 0.0
    if a == 0:
        return
    yield Guess(*_named(s, a), a * s.R)


def _named(s, a):
    says = f"equals {times(a)} × the right gradient"
    if a > 0 and s.alone and _kept(s):
        kept = f"{1 / _scale(s):.6g}"
        return "dropout scale", f"{says}: what is kept must be divided by 1 − rate = {kept}"
    for n, what in _counts(s):
        if abs(a * n - 1) < 1e-7:
            return "mean for sum", f"{says}: a mean over {what}, where a sum belongs"
        if abs(a / n - 1) < 1e-7:
            return "sum for mean", f"{says}: a sum over {what}, where a mean belongs"
    for n, what in _counts(s):
        for root, sign in ((math.sqrt(n), ""), (1 / math.sqrt(n), "1/")):
            if abs(a / root - 1) < 1e-7:
                return "constant factor", f"{says}: {sign}√{n}, with {what}"
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


def dropout_mask(s: Situation) -> Iterator[Guess]:
    if not (s.alone and _kept(s)):
        return
    a, dy = _scale(s), s.dy[0]
    says = "lets dy through where the right gradient is 0: the mask is missing"
    yield Guess("dropout mask", says, a * dy)
    yield Guess("dropout mask", f"{says}, and the scale {times(a)} too", dy)
    says = "is dy, scaled, under another mask than the forward's"
    yield Guess("dropout mask", says, np.where(s.G != 0, a * dy, 0))


def of_an_argument(s: Situation) -> Iterator[Guess]:
    """A factor forgotten, or once too often: R = G a, or G = R a, a another argument, or dy."""
    arrays = [(name, a) for _, name, a in s.others()] + [("dy", dy) for dy in s.dy]
    with np.errstate(all="ignore"):
        for name, a in arrays:
            if a.size < 2 or not (b := _spread(a, s.R.shape)):
                continue
            yield Guess("missing factor", f"lacks the factor {name}", s.R / b[0])
            yield Guess("missing factor", f"has the factor {name} once too often", s.R * b[0])


def by_axis(s: Situation) -> Iterator[Guess]:
    """A factor for each entry of some axes, such as 1 / standard deviation."""
    for axes in _subsets(s.R.ndim):
        rest = tuple(k for k in range(s.R.ndim) if k not in axes)
        energy = np.square(s.R).sum(rest, keepdims=True)
        a = (s.R * s.G).sum(rest, keepdims=True) / np.where(energy > 0, energy, 1)
        if a.size * 2 > s.R.size or not a.any() or (np.abs(a - 1) <= s.tolerance).any():
            continue
        shown = ", ".join(f"{v:.4g}" for v in a.ravel()[:3])
        which = "axis " + str(axes[0]) if len(axes) == 1 else f"axes {axes}"
        says = f"is off by one factor for each entry of {which} ({shown}, ...)"
        yield Guess("missing factor", says, a * s.R)


def reduced_too_far(s: Situation) -> Iterator[Guess]:
    for axes in _subsets(s.R.ndim, whole=True):
        if math.prod(s.R.shape[k] for k in axes) < 2:
            continue
        total = np.broadcast_to(s.R.sum(axes, keepdims=True), s.R.shape)
        says = f"is the same along axes {axes}: it was summed over them too"
        yield Guess("reduced too far", says, total)
        mean = np.broadcast_to(s.R.mean(axes, keepdims=True), s.R.shape)
        yield Guess("reduced too far", says.replace("summed", "averaged"), mean)


def _subsets(rank, whole=False):
    """Of axes: one, two, ...; all of them only as `whole`."""
    for size in range(1, rank + whole):
        yield from itertools.combinations(range(rank), size)


def _spread(a, shape):
    """[a], if it can stand beside an array of that shape, else []."""
    try:
        return [np.broadcast_to(a, shape)]
    except ValueError:
        return []
