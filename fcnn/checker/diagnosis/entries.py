"""Mistakes of place: G is R but for some entries, and what these have in common says why.

A few single ones; those where x <= 0; ties; whole slices at the start or end of an axis (border,
ragged last window, steps of time) or at regular distances (stride).
"""

from collections.abc import Iterator

import numpy as np

from fcnn.checker.diagnosis.context import Context, Hypothesis, counted, times
from fcnn.checker.diagnosis.order import listed

OTHER = "something else"
FEW = 3  # entries that are listed one by one
MANY = 10**4  # rows, too many to look for ties within each


def single(s: Context) -> Iterator[Hypothesis]:
    wrong = s.wrong()
    at = np.argwhere(wrong)
    if len(at) <= FEW and 4 * len(at) < wrong.size:
        shown = ", ".join(f"[{','.join(map(str, index))}]" for index in at.tolist())
        there = f"{counted(len(at), 'entry', 'entries')} only: {shown}"
        yield _guess(s, "single entry", f"is wrong in {there}, where it is", wrong)


def below_zero(s: Context) -> Iterator[Hypothesis]:
    name = s.names[s.i]
    if _is(s, s.own == 0) and not (s.own == 0).all():
        says = f"is wrong exactly where {name} = 0: it lies outside the two slopes of a kink"
        yield Hypothesis("kink", says, np.where(s.own == 0, s.G, s.R))
    for which, where in ((s.own <= 0, "≤ 0"), (s.own < 0, "< 0"), (s.own > 0, "> 0")):
        if _is(s, which) and not which.all():
            says = f"is wrong exactly where {name} {where}: there it is"
            yield _guess(s, "wrong below zero", says, which)


def ties(s: Context) -> Iterator[Hypothesis]:
    wrong = s.wrong()
    for tied in _tied(s.own):
        few = 2 * tied.sum() < tied.size or (s.R[wrong] == 0).any()
        few = few or ((s.own[wrong] != 0).all() and not tied.all())
        if few and (tied | ~wrong).all():
            says = f"is wrong only at entries of {s.names[s.i]} that tie"
            says += ": what one of them should get, or all should share, each gets"
            yield Hypothesis("ties", says, np.where(wrong, s.G, s.R))


def _tied(x):
    """Which entries equal another one: of all, and of their own row."""
    yield _repeated(x.ravel()).reshape(x.shape)
    if x.ndim > 1 and 0 < x.size // x.shape[-1] < MANY:
        rows = x.reshape(-1, x.shape[-1])
        yield np.stack(list(map(_repeated, rows))).reshape(x.shape)


def _repeated(x):
    _, which, count = np.unique(x, return_inverse=True, return_counts=True)
    return count[which] > 1


def slices(s: Context) -> Iterator[Hypothesis]:
    """Whole slices that are 0 or scaled."""
    yield from (guess for which, guess in _slices(s) if _factor(s, which) is not None)


def any_slices(s: Context) -> Iterator[Hypothesis]:
    """Whole slices, whatever they hold; along the first axis, examples, that says no more."""
    for which, guess in _slices(s):
        examples = which.all(_but(0, which.ndim)) == which.any(_but(0, which.ndim))
        yield guess._replace(kind="some slices") if examples.all() else guess


def gaps(s: Context) -> Iterator[Hypothesis]:
    """Something between the places that a stride reaches, where the right gradient is 0."""
    zero, wrong = np.abs(s.R) <= s.tolerance * s.top, s.wrong()
    if not (wrong & zero).any() or (wrong & ~zero).any():
        return
    for axis in range(zero.ndim):
        empty = zero.all(_but(axis, zero.ndim))
        at = np.flatnonzero(~empty)
        steps = np.diff(at)
        if empty.any() and len(steps) and (steps == steps[0]).all():
            where = f"between every {steps[0]}th place along axis {axis}"
            says = f"is not 0 {where}, where nothing is read"
            yield Hypothesis("positions skipped", says, np.where(wrong, s.G, s.R))


def _slices(s):
    """Which entries, and the guess: slices along one axis, or at the borders of all in space."""
    wrong, rank = s.wrong(), s.R.ndim
    if wrong.all():
        return
    seen = wrong | s.nothing()
    along = [seen.all(_but(k, rank)) & wrong.any(_but(k, rank)) for k in range(rank)]
    for axes in [(k,) for k in range(rank)] + [tuple(range(1, rank - 1))] * (rank > 3):
        which = np.zeros(wrong.shape, bool)
        for axis in axes:
            which |= np.expand_dims(along[axis], _but(axis, rank))
        if not _is(s, which):
            continue
        kind, where = _pattern(along[axes[0]], axes[0], rank)
        if len(axes) > 1:
            where = f"the borders of {listed(axes)}"
            inner = any(not along[axis][0] for axis in axes)
            kind = {"truncated in time": "positions skipped"}.get(kind, kind)
            kind = "border dropped" if kind == "ragged window" and not inner else kind
        yield which, _guess(s, kind, f"is wrong exactly at {where}: there it is", which)


def _pattern(indices, axis, rank):
    """What such places along an axis suggest, and which they are."""
    at, right, n = np.flatnonzero(indices), np.flatnonzero(~indices), len(indices)
    if not len(at) or not len(right):
        return "some slices", f"all {n} along axis {axis}"
    first, last, step = at[0], at[-1], np.diff(at)
    if first == 0 and last == n - 1 and (np.diff(right) == 1).all():
        lo, hi = right[0], n - 1 - right[-1]
        return "border dropped", f"the first {lo} and the last {hi} of the {n} along axis {axis}"
    if len(at) == 2 and first + last == n - 1 and 3 * first < n:
        return "border dropped", f"{first} and {last} of the {n} along axis {axis}"
    if (step == 1).all() and (first == 0 or last == n - 1):
        where = f"the {'last' if first else 'first'} {len(at)} of the {n} along axis {axis}"
        if 2 * len(at) >= n and (axis < rank - 1 or rank == 1):
            return "truncated in time", where
        return ("ragged window" if first else "border dropped"), where
    if len(at) > 2 and step[0] > 1 and (step == step[0]).all():
        return "positions skipped", f"every {step[0]}th along axis {axis}, from {first} on"
    gap = np.diff(right)
    if len(gap) > 1 and gap[0] > 1 and (gap == gap[0]).all():
        return "positions skipped", f"all but every {gap[0]}th along axis {axis}"
    return "some slices", f"{', '.join(map(str, at[:6]))} of the {n} along axis {axis}"


def _guess(s, kind, says, which):
    """That only these entries are wrong, and what they are."""
    a = _factor(s, which)
    is_it = OTHER if a is None else f"{times(a)} × the right one" if a else "0"
    return Hypothesis(kind, f"{says} {is_it}", np.where(which, s.G, s.R))


def _factor(s, which):
    """What G is there, in R; None if that is not one number."""
    G, R, most = s.G[which], s.R[which], s.tolerance * s.top
    energy = float(np.vdot(R, R))
    a = float(np.vdot(R, G)) / energy if energy > 0 else 0.0
    a = 0.0 if (np.abs(G) <= most).all() else a
    fits = (np.abs(G - a * R) <= max(most, 1e-9 * np.abs(G).max(initial=0))).all()
    return a if fits else None


def _is(s, which):
    """Whether the wrong entries are these, but for those that are 0 in any case."""
    wrong = s.wrong()
    return bool(((wrong == which) | s.nothing()).all() and (which & wrong).any())


def _but(axis, rank):
    """All other axes."""
    return tuple(k for k in range(rank) if k != axis)
