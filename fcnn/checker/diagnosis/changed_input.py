"""Mistakes of use: G is the right gradient for a changed input, such as flipped w or shifted dy.

In most formulas of a gradient, dy and each of the other arguments occur at most once, and the
gradient is linear in them. So a backward pass that does not flip the kernel, or leaves out
a border, returns R for a changed input.
"""

import itertools
from collections.abc import Iterator

import numpy as np

from fcnn.checker.diagnosis.context import Context, Hypothesis, ordinal
from fcnn.checker.diagnosis.order import rolled, some_axes
from fcnn.checker.equation.wording import listed

SMALL = 10**4  # number of entries; for larger arrays, fewer shifts are tried
# Number of windows left out at the start and at the end of an axis.
EDGES = ((1, 1), (0, 1), (1, 0), (2, 2), (0, 2), (2, 0))


def other_arguments(c: Context) -> Iterator[Hypothesis]:
    """R for another leaf that is flipped, transposed, shifted, or replaced by 1 or by its sign."""
    own = c.names[c.i]
    for j, name, a in c.other_leaves():
        if a.size < 2:
            continue
        for axes in some_axes(a.shape):
            says = f"equals the gradient for {name} flipped along {listed(axes)}: "
            says += f"flip {name} in the backward pass"
            if a.ndim > 2:
                says += f", as d{own}[u] sums dy[p] {name}[i] over p + i = u"
            yield from _given(c, "flipped", says, {j: np.flip(a, axes)})
        for p, q in itertools.combinations(range(a.ndim), 2):
            if a.shape[p] == a.shape[q]:
                says = f"equals the gradient for {name} with axes {p} and {q} exchanged: "
                says += "exchange them in the backward pass"
                kind = "channels exchanged" if c.of_channels(a, p, q) else "transposed"
                yield from _given(c, kind, says, {j: a.swapaxes(p, q)})
        if a.ndim > 2 and a.shape[-1] > a.shape[-2] > 1 and a.shape[-1] % a.shape[-2] == 0:
            c_in, c_out = a.shape[-2:]
            swapped = (
                a.reshape(*a.shape[:-1], c_out // c_in, c_in).swapaxes(-1, -3).reshape(a.shape)
            )
            says = f"equals the gradient for {name} with input and output channels exchanged in "
            says += "each group"
            yield from _given(c, "channels exchanged", says, {j: swapped})
        for axis, k in _shifts(a):
            says = f"equals the gradient for {name} shifted by {k} along axis {axis}"
            yield from _given(c, "shifted", says, {j: rolled(a, k, axis)[0]})
        says = f"equals the gradient for {name} = 1: the factor {name} is missing"
        yield from _given(c, "missing factor", says, {j: np.ones_like(a)})
        says = f"equals the gradient for {name} = ±1: the magnitude of {name} is missing"
        for hypothesis in _given(c, "missing factor", says, {j: np.sign(a)}):
            yield hypothesis
            yield hypothesis._replace(gradient=-hypothesis.gradient)


def own_argument(c: Context) -> Iterator[Hypothesis]:
    """R for this leaf shifted, without its sign, or without its negative entries."""
    a, name = c.argument, c.names[c.i]
    for axis, k in _shifts(a):
        says = f"equals the gradient for {name} shifted by {k} along axis {axis}"
        yield from _given(c, "shifted", says, {c.i: rolled(a, k, axis)[0]})
    for form, other in ((f"|{name}|", np.abs(a)), (f"max({name}, 0)", np.maximum(a, 0))):
        says = f"equals the gradient for {form} in place of {name}"
        yield from _given(c, "wrong below zero", says, {c.i: other})


def cotangent(c: Context) -> Iterator[Hypothesis]:
    """R for a changed dy of the first output: one example only, flipped, shifted, transposed."""
    dy = c.dy[0]
    if dy.ndim > 1 and len(dy) > 1:
        says = "has the contribution of the first example only"
        yield from _given(c, "reduced too far", says, dy=_only(dy, 0, slice(0, 1)))
    for axes in some_axes(dy.shape):
        says = f"equals the gradient for dy flipped along {listed(axes)}"
        yield from _given(c, "flipped", says, dy=np.flip(dy, axes))
    for axis, k in _shifts(dy):
        moved, known = rolled(dy, k, axis)
        says = f"equals the gradient for dy shifted by {k} along axis {axis}"
        yield from _given(c, "shifted", says, dy=np.where(known, moved, 0))
        yield from _given(c, "shifted", says, dy=moved)
    for p, q in itertools.combinations(range(dy.ndim), 2):
        if dy.shape[p] == dy.shape[q]:
            says = f"equals the gradient for dy with axes {p} and {q} exchanged"
            yield from _given(c, "transposed", says, dy=dy.swapaxes(p, q))


def parts_of_the_cotangent(c: Context) -> Iterator[Hypothesis]:
    """R for dy that is 0 at the spatial borders, or at all but every kth position."""
    dy = c.dy[0]
    space = range(1, dy.ndim - 1) if dy.ndim > 2 else range(dy.ndim)
    for axes in [(axis,) for axis in space] + [tuple(space)] * (len(space) > 1):
        for lo, hi in EDGES:
            if all(lo + hi < dy.shape[axis] for axis in axes):
                cut = dy
                for axis in axes:
                    cut = _only(cut, axis, slice(lo, dy.shape[axis] - hi))
                says = f"lacks the contribution of the first {lo} and the last {hi} windows along "
                says += listed(axes)
                kind = "border dropped" if lo else "ragged window"
                yield from _given(c, kind, says, dy=cut)
    for axis in space:
        for step in (k for k in (2, 3) if dy.shape[axis] > k):
            for first in range(step):
                says = (
                    f"has the contribution of every {ordinal(step)} window along axis {axis} only"
                )
                cut = _only(dy, axis, slice(first, None, step))
                yield from _given(c, "positions skipped", says, dy=cut)


def parts_of_time(c: Context) -> Iterator[Hypothesis]:
    """R of sequences (n, t, ...) or (t, ...), where dy is 0 at some steps or for the last state."""
    dy, states = c.dy[0], [np.zeros_like(d) for d in c.dy[1:]]
    if dy.ndim < 2:
        return
    axis = next((k for k in range(dy.ndim) if _is_time_of_dy(c, k)), None)
    if axis is None:
        return
    t = dy.shape[axis]
    for k in range(1, t):
        for part, name in ((slice(t - k, None), "last"), (slice(0, k), "first")):
            says = f"has the contribution of the {name} {k} of the {t} steps of dy only"
            yield from _given(c, "truncated in time", says, dy=_only(dy, axis, part))
            if states and name == "last":
                cut = [_only(dy, axis, part), *states]
                yield from _given(c, "truncated in time", f"{says}, without the last state", dy=cut)
    if states:
        says = "lacks the contribution of the last state"
        yield from _given(c, "truncated in time", says, dy=[dy, *states])
        says = "has the contribution of the last state only"
        yield from _given(c, "truncated in time", says, dy=np.zeros_like(dy))


def _is_time_of_dy(c, k):
    """Whether some argument has a time axis of the length of axis k of dy."""
    n = c.dy[0].shape[k]
    leaves = ((j, axis) for j, a in enumerate(c.x) for axis, m in enumerate(a.shape) if m == n)
    return any(c.is_causal(j, axis, k) for j, axis in leaves)


def outputs(c: Context) -> Iterator[Hypothesis]:
    """R without the contribution of one of several outputs."""
    for j, d in enumerate(c.dy) if len(c.dy) > 1 else ():
        dy = [*c.dy[:j], np.zeros_like(d), *c.dy[j + 1 :]]
        is_state = j and d.ndim > 1 and c.dy[0].ndim == d.ndim + 1
        kind = "truncated in time" if is_state else "missing output"
        says = f"lacks the contribution of y[{j}]"
        yield from _given(c, kind, says, dy=dy)


def without_recurrence(c: Context) -> Iterator[Hypothesis]:
    """R of sequences (n, t, ...) or (t, ...), with each step independent of the other steps."""
    dy, states = c.dy[0], c.dy[1:]
    axis = 1 if dy.ndim > 2 else 0
    t = dy.shape[axis] if dy.ndim else 0
    if c.R.ndim != dy.ndim or c.R.shape[axis] != t or not 2 < t <= 64:
        return
    gradient = np.zeros_like(c.R)
    for k in range(t):
        at = slice(k, k + 1)
        ends = states if k == t - 1 else [np.zeros_like(d) for d in states]
        found = c.for_other(dy=[_only(dy, axis, at), *ends])
        if found is None:
            return
        gradient += _only(found, axis, at)
    says = "is right for each step by itself, but lacks the gradient that a step passes to earlier "
    says += "steps"
    yield Hypothesis("truncated in time", says, gradient)


def _given(c, kind, says, x=None, dy=None):
    """R for changed leaves of x, or for another dy.

    dy is one array, for the first output, or a list for all outputs.
    """
    dy = [dy, *c.dy[1:]] if isinstance(dy, np.ndarray) else dy
    found = c.for_other(x, dy)
    if found is not None:
        yield Hypothesis(kind, says, found)


def _shifts(a):
    """Axis and distance of each shift; a small array is shifted farther."""
    for axis, n in enumerate(a.shape):
        most = min(n - 1, 8 if a.size <= SMALL else 3)
        yield from ((axis, k) for size in range(1, most + 1) for k in (-size, size))


def _only(a, axis, part):
    """a within `part` of an axis, and 0 elsewhere."""
    cut = np.zeros_like(a)
    at = (slice(None),) * axis + (part,)
    cut[at] = a[at]
    return cut
