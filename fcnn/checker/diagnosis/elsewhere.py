"""The right gradient, but of another problem: of w flipped or transposed, of dy shifted or cut.

Most backward passes are linear in dy and in the other arguments, and use each of them in one place:
a kernel that is not flipped there, or a border that is not padded, gives R of a changed problem.
"""

import itertools
from collections.abc import Iterator

import numpy as np

from fcnn.checker.diagnosis.order import listed, rolled, some_axes
from fcnn.checker.diagnosis.situation import Guess, Situation


def other_arguments(s: Situation) -> Iterator[Guess]:
    """R for another leaf flipped, with two of its axes exchanged, or shifted."""
    for j, name, a in s.others():
        if a.size < 2:
            continue
        for axes in some_axes(a.shape):
            says = (
                f"is right for {name} flipped along {listed(axes)}: {name} must be "
                f"{'read the other way round' if a.ndim < 3 else 'flipped there'}"
            )
            yield from _guess(s, "flipped", says, {j: np.flip(a, axes)})
        for p, q in itertools.combinations(range(a.ndim), 2):
            if a.shape[p] == a.shape[q]:
                says = f"is right for {name} with axes {p} and {q} exchanged"
                kind = "channels exchanged" if s.of_channels(a, p, q) else "transposed"
                yield from _guess(s, kind, says, {j: a.swapaxes(p, q)})
        if a.ndim > 2 and a.shape[-1] > a.shape[-2] > 1 and a.shape[-1] % a.shape[-2] == 0:
            c, o = a.shape[-2:]
            split = a.reshape(*a.shape[:-1], o // c, c).swapaxes(-1, -3).reshape(a.shape)
            says = f"is right for {name} with its channels in and out exchanged within each group"
            yield from _guess(s, "channels exchanged", says, {j: split})
        for axis, n in enumerate(a.shape):
            for k in _near(a, n):
                says = f"is right for {name} shifted by {k} along axis {axis}"
                yield from _guess(s, "shifted", says, {j: rolled(a, k, axis)[0]})
        says = f"is right for {name} = 1: it lacks the factor {name}"
        yield from _guess(s, "missing factor", says, {j: np.ones_like(a)})
        for guess in _guess(s, "missing factor", says.replace("1", "±1"), {j: np.sign(a)}):
            yield guess
            yield guess._replace(gradient=-guess.gradient)


def own_argument(s: Situation) -> Iterator[Guess]:
    """R for this leaf shifted, cut, without its negative part, or squared."""
    a, name = s.own, s.names[s.i]
    for axis, n in enumerate(a.shape):
        for k in _near(a, n):
            says = f"is right for {name} shifted by {k} along axis {axis}"
            yield from _guess(s, "shifted", says, {s.i: rolled(a, k, axis)[0]})
    yield from _guess(s, "wrong below zero", f"is right for |{name}|", {s.i: np.abs(a)})
    says = f"is right for max({name}, 0)"
    yield from _guess(s, "wrong below zero", says, {s.i: np.maximum(a, 0)})


def cotangent(s: Situation) -> Iterator[Guess]:
    """R for dy flipped, shifted, or in part 0."""
    dy = s.dy[0]
    rest = s.dy[1:]
    for axes in some_axes(dy.shape):
        says = f"is right for dy flipped along {listed(axes)}"
        yield from _guess(s, "flipped", says, dy=[np.flip(dy, axes), *rest])
    for axis, n in enumerate(dy.shape):
        for k in _near(dy, n):
            moved, known = rolled(dy, k, axis)
            says = f"is right for dy shifted by {k} along axis {axis}"
            yield from _guess(s, "shifted", says, dy=[np.where(known, moved, 0), *rest])
            yield from _guess(s, "shifted", says, dy=[moved, *rest])
    yield from _cut(s, dy, rest)
    for p, q in itertools.combinations(range(dy.ndim), 2):
        if dy.shape[p] == dy.shape[q]:
            says = f"is right for dy with axes {p} and {q} exchanged"
            yield from _guess(s, "transposed", says, dy=[dy.swapaxes(p, q), *rest])
    if dy.ndim >= 2 and dy.shape[0] > 1:
        only = np.zeros_like(dy)
        only[0] = dy[0]
        says = "is right for the first example alone: the others are left out"
        yield from _guess(s, "reduced too far", says, dy=[only, *rest])


def _cut(s, dy, rest):
    spatial = range(1, dy.ndim - 1) if dy.ndim > 2 else range(dy.ndim)
    sets = [(axis,) for axis in spatial] + ([tuple(spatial)] if len(spatial) > 1 else [])
    for axes in sets:
        for lo, hi in ((1, 1), (0, 1), (1, 0), (2, 2), (0, 2), (2, 0)):
            if any(lo + hi >= dy.shape[axis] for axis in axes):
                continue
            cut = dy.copy()
            for axis in axes:
                n = dy.shape[axis]
                edge = np.r_[0:lo, n - hi : n]
                cut[(slice(None),) * axis + (edge,)] = 0
            says = (
                f"is right for dy without its first {lo} and last {hi} along {listed(axes)}: "
                "what the windows there give is dropped"
            )
            kind = "border dropped" if lo else "ragged window"
            yield from _guess(s, kind, says, dy=[cut, *rest])
    for axis in spatial:
        n = dy.shape[axis]
        for step in (k for k in (2, 3) if n > k):
            for first in range(step):
                cut = np.zeros_like(dy)
                some = (slice(None),) * axis + (slice(first, None, step),)
                cut[some] = dy[some]
                says = f"is right for every {step}th entry of dy along axis {axis} alone"
                yield from _guess(s, "positions skipped", says, dy=[cut, *rest])
    yield from _last_only(s)


def _last_only(s):
    """Of sequences (n, t, ...): what only the last steps give, or the first."""
    dy, rest = s.dy[0], s.dy[1:]
    if dy.ndim < 2:
        return
    axis = 1 if dy.ndim > 2 else 0
    t = dy.shape[axis]
    at = lambda k: (slice(None),) * axis + (k,)
    for k in range(1, t):
        for part, name in ((slice(t - k, None), "last"), (slice(0, k), "first")):
            cut = np.zeros_like(dy)
            cut[at(part)] = dy[at(part)]
            says = f"is right for the {name} {k} of the {t} steps of dy alone"
            yield from _guess(s, "truncated in time", says, dy=[cut, *rest])
            if rest and name == "last":
                says = f"{says}, without the last state's"
                yield from _guess(s, "truncated in time", says, dy=[cut, *map(np.zeros_like, rest)])
    if rest:
        says = "is right without what comes through the last state"
        yield from _guess(s, "truncated in time", says, dy=[dy, *map(np.zeros_like, rest)])
        says = "is right for the last state alone, without the steps before"
        yield from _guess(s, "truncated in time", says, dy=[np.zeros_like(dy), *rest])


def each_step_alone(s: Situation) -> Iterator[Guess]:
    """R of sequences (n, t, ...) or (t, ...), were each step to know of no other."""
    dy, rest = s.dy[0], s.dy[1:]
    axis = 1 if dy.ndim > 2 else 0
    t = dy.shape[axis] if dy.ndim else 0
    if s.R.ndim != dy.ndim or s.R.shape[axis] != t or not 2 < t <= 64:
        return
    at = lambda k: (slice(None),) * axis + (k,)
    alone = np.zeros_like(s.R)
    for k in range(t):
        cut = np.zeros_like(dy)
        cut[at(k)] = dy[at(k)]
        ends = rest if k == t - 1 else list(map(np.zeros_like, rest))
        found = s.for_other(dy=[cut, *ends])
        if found is None:
            return
        alone[at(k)] = found[at(k)]
    says = "is right for each step by itself: what one step passes on to those before is lost"
    yield Guess("truncated in time", says, alone)


def _near(a, n):
    """Shifts to try along an axis of length n: the nearest few, or more of a small array."""
    most = min(n - 1, 3 if a.size > 10**4 else 8)
    return [k for size in range(1, most + 1) for k in (-size, size)]


def _guess(s, kind, says, x=None, dy=None):
    found = s.for_other(x, dy)
    if found is not None:
        yield Guess(kind, says, found)
