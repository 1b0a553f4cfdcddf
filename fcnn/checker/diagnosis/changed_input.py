"""The right gradient, but of another problem: of w flipped or transposed, of dy shifted or cut.

Most backward passes are linear in dy and in the other arguments, and use each of them in one place:
a kernel that is not flipped there, or a border that is left out, gives R of a changed problem.
"""

import itertools
from collections.abc import Iterator

import numpy as np

from fcnn.checker.diagnosis.context import Context, Hypothesis
from fcnn.checker.diagnosis.order import listed, rolled, some_axes

SMALL = 10**4  # entries up to which more shifts are tried
EDGES = ((1, 1), (0, 1), (1, 0), (2, 2), (0, 2), (2, 0))  # that may be left out at both ends


def other_arguments(s: Context) -> Iterator[Hypothesis]:
    """R for another leaf flipped, with two of its axes exchanged, shifted, or 1."""
    own = s.names[s.i]
    for j, name, a in s.others():
        if a.size < 2:
            continue
        for axes in some_axes(a.shape):
            says = f"is what {name} flipped along {listed(axes)} would give: flip {name} there"
            if a.ndim > 2:
                says += f", as d{own}[u] sums dy[p] {name}[i] over p + i = u"
            yield from _given(s, "flipped", says, {j: np.flip(a, axes)})
        for p, q in itertools.combinations(range(a.ndim), 2):
            if a.shape[p] == a.shape[q]:
                says = f"is what {name} with axes {p} and {q} exchanged would give: exchange them"
                kind = "channels exchanged" if s.of_channels(a, p, q) else "transposed"
                yield from _given(s, kind, says, {j: a.swapaxes(p, q)})
        if a.ndim > 2 and a.shape[-1] > a.shape[-2] > 1 and a.shape[-1] % a.shape[-2] == 0:
            c, o = a.shape[-2:]
            swapped = a.reshape(*a.shape[:-1], o // c, c).swapaxes(-1, -3).reshape(a.shape)
            says = f"is what {name} with channels in and out exchanged in each group would give"
            yield from _given(s, "channels exchanged", says, {j: swapped})
        for axis, k in _shifts(a):
            says = f"is what {name} shifted by {k} along axis {axis} would give"
            yield from _given(s, "shifted", says, {j: rolled(a, k, axis)[0]})
        says = f"is what {name} = 1 would give: it lacks the factor {name}"
        yield from _given(s, "missing factor", says, {j: np.ones_like(a)})
        says = f"is what {name} = ±1 would give: it lacks the size of {name}"
        for guess in _given(s, "missing factor", says, {j: np.sign(a)}):
            yield guess
            yield guess._replace(gradient=-guess.gradient)


def own_argument(s: Context) -> Iterator[Hypothesis]:
    """R for this leaf shifted, or without its sign or its negative part."""
    a, name = s.own, s.names[s.i]
    for axis, k in _shifts(a):
        says = f"is what {name} shifted by {k} along axis {axis} would give"
        yield from _given(s, "shifted", says, {s.i: rolled(a, k, axis)[0]})
    for form, other in ((f"|{name}|", np.abs(a)), (f"max({name}, 0)", np.maximum(a, 0))):
        yield from _given(s, "wrong below zero", f"is what {form} would give", {s.i: other})


def cotangent(s: Context) -> Iterator[Hypothesis]:
    """R for the first dy flipped, shifted, transposed, or of one example."""
    dy = s.dy[0]
    for axes in some_axes(dy.shape):
        says = f"is what dy flipped along {listed(axes)} would give"
        yield from _given(s, "flipped", says, dy=np.flip(dy, axes))
    for axis, k in _shifts(dy):
        moved, known = rolled(dy, k, axis)
        says = f"is what dy shifted by {k} along axis {axis} would give"
        yield from _given(s, "shifted", says, dy=np.where(known, moved, 0))
        yield from _given(s, "shifted", says, dy=moved)
    for p, q in itertools.combinations(range(dy.ndim), 2):
        if dy.shape[p] == dy.shape[q]:
            says = f"is what dy with axes {p} and {q} exchanged would give"
            yield from _given(s, "transposed", says, dy=dy.swapaxes(p, q))
    if dy.ndim > 1 and len(dy) > 1:
        says = "is what the first example alone gives: the others are left out"
        yield from _given(s, "reduced too far", says, dy=_only(dy, 0, slice(0, 1)))


def parts_of_the_cotangent(s: Context) -> Iterator[Hypothesis]:
    """R for dy that is 0 at the borders of space, or between regular places."""
    dy = s.dy[0]
    space = range(1, dy.ndim - 1) if dy.ndim > 2 else range(dy.ndim)
    for axes in [(axis,) for axis in space] + [tuple(space)] * (len(space) > 1):
        for lo, hi in EDGES:
            if all(lo + hi < dy.shape[axis] for axis in axes):
                cut = dy
                for axis in axes:
                    cut = _only(cut, axis, slice(lo, dy.shape[axis] - hi))
                says = f"lacks what the first {lo} and last {hi} windows along {listed(axes)} give"
                kind = "border dropped" if lo else "ragged window"
                yield from _given(s, kind, says, dy=cut)
    for axis in space:
        for step in (k for k in (2, 3) if dy.shape[axis] > k):
            for first in range(step):
                says = f"is what every {step}th window along axis {axis} gives, without the others"
                cut = _only(dy, axis, slice(first, None, step))
                yield from _given(s, "positions skipped", says, dy=cut)


def parts_of_time(s: Context) -> Iterator[Hypothesis]:
    """R of sequences (n, t, ...) or (t, ...) for some steps alone, or without the last state."""
    dy, states = s.dy[0], [np.zeros_like(d) for d in s.dy[1:]]
    if dy.ndim < 2:
        return
    axis = 1 if dy.ndim > 2 else 0
    t = dy.shape[axis]
    for k in range(1, t):
        for part, name in ((slice(t - k, None), "last"), (slice(0, k), "first")):
            says = f"is what the {name} {k} of the {t} steps of dy give, without the others"
            yield from _given(s, "truncated in time", says, dy=_only(dy, axis, part))
            if states and name == "last":
                cut = [_only(dy, axis, part), *states]
                yield from _given(s, "truncated in time", f"{says} and the last state", dy=cut)
    if states:
        says = "lacks what comes through the last state"
        yield from _given(s, "truncated in time", says, dy=[dy, *states])
        says = "lacks what comes through the steps before the last state"
        yield from _given(s, "truncated in time", says, dy=np.zeros_like(dy))


def outputs(s: Context) -> Iterator[Hypothesis]:
    """R without what comes through one of several outputs."""
    for j, d in enumerate(s.dy) if len(s.dy) > 1 else ():
        dy = [*s.dy[:j], np.zeros_like(d), *s.dy[j + 1 :]]
        kind = "truncated in time" if j and s.dy[0].ndim == d.ndim + 1 else "missing output"
        says = f"lacks what comes through output {j} of {len(s.dy)}"
        yield from _given(s, kind, says, dy=dy)


def each_step_alone(s: Context) -> Iterator[Hypothesis]:
    """R of sequences (n, t, ...) or (t, ...), were each step to know of no other."""
    dy, states = s.dy[0], s.dy[1:]
    axis = 1 if dy.ndim > 2 else 0
    t = dy.shape[axis] if dy.ndim else 0
    if s.R.ndim != dy.ndim or s.R.shape[axis] != t or not 2 < t <= 64:
        return
    alone = np.zeros_like(s.R)
    for k in range(t):
        at = slice(k, k + 1)
        ends = states if k == t - 1 else [np.zeros_like(d) for d in states]
        found = s.for_other(dy=[_only(dy, axis, at), *ends])
        if found is None:
            return
        alone += _only(found, axis, at)
    says = "is right for each step by itself: what one step passes on to those before is lost"
    yield Hypothesis("truncated in time", says, alone)


def _given(s, kind, says, x=None, dy=None):
    """R for other x, or for another first dy, or all of dy."""
    dy = [dy, *s.dy[1:]] if isinstance(dy, np.ndarray) else dy
    found = s.for_other(x, dy)
    if found is not None:
        yield Hypothesis(kind, says, found)


def _shifts(a):
    """Axis and distance: the nearest few, or more of a small array."""
    for axis, n in enumerate(a.shape):
        most = min(n - 1, 8 if a.size <= SMALL else 3)
        yield from ((axis, k) for size in range(1, most + 1) for k in (-size, size))


def _only(a, axis, part):
    """a where `part` of an axis is, and 0 elsewhere."""
    cut = np.zeros_like(a)
    at = (slice(None),) * axis + (part,)
    cut[at] = a[at]
    return cut
