"""Mistakes of scale: G = a R with one number a, or one number for each index along some axes.

    a           mistake
    0           stopped
    1/n         mean for sum
    n           sum for mean
    1 - rate    dropout scale
    other       constant factor; the message names a factor such as -1, ½ or π

Here n is a number of entries that a sum or a mean may run over.
"""

import itertools
import math
from collections.abc import Iterator

import numpy as np

from fcnn.checker.diagnosis.context import Context, Hypothesis, times
from fcnn.checker.equation.wording import listed


def stopped(c: Context) -> Iterator[Hypothesis]:
    says = f"is 0 everywhere: the gradient stops before it reaches {c.names[c.i]}"
    yield Hypothesis("stopped", says, np.zeros_like(c.R))


def constant(c: Context) -> Iterator[Hypothesis]:
    energy = float(np.vdot(c.R, c.R))
    a = float(np.vdot(c.R, c.G)) / energy if energy > 0 else 0.0
    if a == 0:
        return
    yield Hypothesis(*_named(c, a), a * c.R)


def _named(c, a):
    says = f"equals {times(a)} × the right gradient"
    if (
        sum(y.size for y in c.y) == 1
        and abs(a * max(dy.sum() for dy in c.dy if dy.size) - 1) < 1e-7
    ):
        return "missing factor", "does not depend on dy: it is right for dy = 1"
    if a > 0 and c.same_shape and _kept(c):
        kept = f"{1 / _scale(c):.6g}"
        return "dropout scale", f"{says}: divide the kept entries by 1 − rate = {kept}"
    for n, what in _counts(c):
        if abs(a * n - 1) < 1e-7:
            return "mean for sum", f"{says}: a mean over {what}, where a sum belongs"
        if abs(a / n - 1) < 1e-7:
            return "sum for mean", f"{says}: a sum over {what}, where a mean belongs"
    for n, what in _counts(c) if times(a)[-1].isdigit() and "." in times(a) else ():
        for root, name in ((math.sqrt(n), f"√{n}"), (1 / math.sqrt(n), f"1/√{n}")):
            if abs(a / root - 1) < 1e-7:
                return "constant factor", f"{says}, {name}: there are {what[4:]}"
    return "constant factor", says


def _kept(c):
    """Whether entries of R are 0 or a constant times dy, for both signs of x, as for dropout."""
    zero = c.R == 0
    if not zero.any() or zero.all() or c.dy[0].shape != c.R.shape:
        return False
    ratio = c.R[~zero] / c.dy[0][~zero]
    mixed = (
        len(np.unique(np.sign(c.argument[zero]))) > 1
        and len(np.unique(np.sign(c.argument[~zero]))) > 1
    )
    if not mixed or np.ptp(ratio) > 1e-9 * abs(ratio[0]):
        return False
    moved = c.for_other({c.i: -c.argument[::-1]})  # a dropout mask does not depend on x
    return moved is not None and np.array_equal(moved == 0, zero)


def _scale(c):
    zero = c.R == 0
    return float((c.R[~zero] / c.dy[0][~zero])[0])


def _counts(c):
    """Sizes, from 3 on, that a sum or a mean may run over, each with a description."""
    seen = {}
    arrays = [("y", y) for y in c.y] + list(zip(c.names, c.x, strict=True))
    for name, a in arrays:
        for k, n in enumerate(a.shape):
            seen.setdefault(n, f"the {n} entries of axis {k} of {name}")
    for name, a in arrays:
        for first, last in itertools.combinations(range(a.ndim + 1), 2):
            n = math.prod(a.shape[first:last])
            axes = ", ".join(map(str, range(first, last)))
            seen.setdefault(n, f"the {n} entries of axes {axes} of {name}")
    for y in c.y:
        if c.argument.size and y.size % c.argument.size == 0:
            n = y.size // c.argument.size
            seen.setdefault(n, f"the {n} entries of y for each entry of {c.names[c.i]}")
    return [(n, what) for n, what in seen.items() if n > 2]


def dropout_mask(c: Context) -> Iterator[Hypothesis]:
    if not (c.same_shape and _kept(c)):
        return
    a, dy = _scale(c), c.dy[0]
    says = "is not 0 where the right gradient is 0: the dropout mask is missing"
    yield Hypothesis("dropout mask", says, a * dy)
    yield Hypothesis("dropout mask", f"{says}, and so is the scale {times(a)}", dy)
    says = "has another dropout mask than the forward pass"
    yield Hypothesis("dropout mask", says, np.where(c.G != 0, a * dy, 0))


def of_an_argument(c: Context) -> Iterator[Hypothesis]:
    """A missing factor, R = G a, or an extra factor, G = R a, where a is another argument or dy."""
    for name, a in [*((name, a) for _, name, a in c.other_leaves()), *(("dy", dy) for dy in c.dy)]:
        fits = a.ndim <= c.R.ndim and all(
            m in (1, n) for m, n in zip(a.shape[::-1], c.R.shape[::-1], strict=False)
        )
        if fits and a.size > 1:
            yield Hypothesis("missing factor", f"lacks the factor {name}", c.R / a)
            yield Hypothesis("missing factor", f"has the factor {name} once too often", c.R * a)


def by_axis(c: Context) -> Iterator[Hypothesis]:
    """A factor for each index along some axes, such as 1 / standard deviation."""
    for axes in _some(c.R.ndim):
        rest = tuple(k for k in range(c.R.ndim) if k not in axes)
        energy = np.square(c.R).sum(rest, keepdims=True)
        a = (c.R * c.G).sum(rest, keepdims=True) / np.where(energy > 0, energy, 1)
        if 2 * a.size > c.R.size or not a.any() or (np.abs(a - 1) <= c.tolerance).any():
            continue
        shown = ", ".join(f"{v:.4g}" for v in a.ravel()[:3])
        says = f"is wrong by one factor for each index along {listed(axes)} ({shown}, ...)"
        yield Hypothesis("missing factor", says, a * c.R)


def reduced_too_far(c: Context) -> Iterator[Hypothesis]:
    for axes in [*_some(c.R.ndim), tuple(range(c.R.ndim))]:
        if math.prod(c.R.shape[k] for k in axes) > 1:
            for done, reduced in (("summed", np.sum), ("averaged", np.mean)):
                same = np.broadcast_to(reduced(c.R, axes, keepdims=True), c.R.shape)
                says = f"is constant along {listed(axes)}: it was {done} there too"
                yield Hypothesis("reduced too far", says, same)


def _some(rank):
    """Sets of axes, except the set of all axes."""
    for size in range(1, rank):
        yield from itertools.combinations(range(rank), size)
