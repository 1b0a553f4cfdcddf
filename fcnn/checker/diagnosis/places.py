"""Mistakes of place: G is R but for some entries, and what these have in common says why.

A few single ones; those where x <= 0; ties; whole slices at the start or end of an axis (border,
ragged last window, steps of time), or at regular distances (stride).
"""

from collections.abc import Iterator

import numpy as np

from fcnn.checker.diagnosis.order import listed
from fcnn.checker.diagnosis.situation import Guess, Situation, counted, times

FEW = 3
OTHER = "something else"


def single(s: Situation) -> Iterator[Guess]:
    wrong = s.wrong()
    at = np.argwhere(wrong)
    if len(at) <= FEW and 4 * len(at) < wrong.size:
        shown = ", ".join(f"[{','.join(map(str, index))}]" for index in at.tolist())
        says = f"is wrong in {counted(len(at), 'entry')} only: {shown}, where it is {_relation(s, wrong)}"
        yield Guess("single entry", says, np.where(wrong, s.G, s.R))


def below_zero(s: Situation) -> Iterator[Guess]:
    for which, name in ((s.own <= 0, "x ≤ 0"), (s.own < 0, "x < 0"), (s.own > 0, "x > 0")):
        if _is(s, which) and not which.all():
            name = name.replace("x", s.names[s.i])
            says = f"is wrong exactly where {name}: there it is {_relation(s, which)}"
            yield Guess("wrong below zero", says, np.where(which, s.G, s.R))


def ties(s: Situation) -> Iterator[Guess]:
    wrong = s.wrong()
    _, inverse, count = np.unique(s.own, return_inverse=True, return_counts=True)
    tied = (count[inverse] > 1).reshape(s.own.shape)
    if (tied | ~wrong).all() and ((s.R[wrong] == 0).any() or 2 * tied.sum() < tied.size):
        says = (
            f"is wrong only at entries of {s.names[s.i]} that tie with another: what one of them "
            "should get, several get"
        )
        yield Guess("ties", says, np.where(wrong, s.G, s.R))


def slices(s: Situation) -> Iterator[Guess]:
    """Whole slices along one axis, or along several at once, that are 0 or scaled."""
    yield from (guess for guess in slices_of_anything(s) if OTHER not in guess.says)


def gaps(s: Situation) -> Iterator[Guess]:
    """Something at regular places that a stride skips, where the right gradient is 0."""
    zero = np.abs(s.R) <= s.tolerance * s.top
    wrong = s.wrong()
    if not (wrong & zero).any() or (wrong & ~zero).any() or zero.all():
        return
    for axis in range(zero.ndim):
        rest = tuple(k for k in range(zero.ndim) if k != axis)
        at = np.flatnonzero(~zero.all(rest))
        if zero.all(rest).any() and len(at) > 1 and (np.diff(at) == at[1] - at[0]).all():
            says = (
                f"is not 0 between every {at[1] - at[0]}th place along axis {axis}, where no window "
                "reads: these must stay 0"
            )
            yield Guess("positions skipped", says, np.where(wrong, s.G, s.R))


def slices_of_anything(s: Situation) -> Iterator[Guess]:
    """Whole slices, whatever they hold."""
    wrong, nothing = s.wrong(), s.nothing()
    if wrong.all():
        return
    along = [_slices(wrong, nothing, axis) for axis in range(wrong.ndim)]
    for axes in [(k,) for k in range(wrong.ndim)] + [tuple(range(1, wrong.ndim - 1))]:
        union = np.zeros(wrong.shape, bool)
        for axis in axes:
            union |= _spread(along[axis], axis, wrong.ndim)
        if not _is(s, union) or not union.any():
            continue
        for axis in axes:
            if along[axis].any():
                kind, where = _pattern(along[axis], axis, wrong.ndim)
                says = f"is wrong exactly at {where}: there it is {_relation(s, union)}"
                if len(axes) > 1 and kind == "truncated in time":
                    kind = "positions skipped"
                if len(axes) > 1:
                    says = f"is wrong exactly at the borders of {listed(axes)}: there it is {_relation(s, union)}"
                    kind = (
                        "border dropped" if kind == "ragged window" and _both(along, axes) else kind
                    )
                yield Guess(kind, says, np.where(union, s.G, s.R))
                break


def _slices(wrong, nothing, axis):
    """Which indices of an axis are wrong all over, where there is anything."""
    rest = tuple(k for k in range(wrong.ndim) if k != axis)
    return (wrong | nothing).all(rest) & wrong.any(rest)


def _spread(indices, axis, rank):
    shape = [1] * rank
    shape[axis] = -1
    return indices.reshape(shape)


def _is(s, which):
    """Whether the wrong entries are these, but for those that are 0 in any case."""
    return bool(((s.wrong() == which) | s.nothing()).all()) and bool((which & s.wrong()).any())


def _both(along, axes):
    return any(along[axis][0] for axis in axes)


def _pattern(indices, axis, rank):
    """Where along the axis, and what such a place suggests."""
    at, n = np.flatnonzero(indices), len(indices)
    first, last, steps = at[0], at[-1], np.diff(at)
    middle = np.flatnonzero(~indices)
    if len(at) == 2 and first + last == n - 1 and 3 * first < n:
        return "border dropped", f"{first} and {last} of the {n} along axis {axis}"
    if len(at) == 1 and 0 < first < n - 1:
        return "single slice", f"index {first} of axis {axis}"
    if len(middle) and first == 0 and last == n - 1 and (np.diff(middle) == 1).all():
        lo, hi = int(middle[0]), int(n - 1 - middle[-1])
        return "border dropped", f"the first {lo} and the last {hi} of the {n} along axis {axis}"
    if (steps == 1).all():
        where = f"the {'first' if first == 0 else 'last'} {len(at)} of the {n} along axis {axis}"
        if first and last != n - 1:
            return "some slices", f"{first} to {last} of the {n} along axis {axis}"
        if 2 * len(at) >= n and (axis < rank - 1 or rank == 1):
            return "truncated in time", where
        return ("ragged window" if first else "border dropped"), where
    if len(at) > 2 and (steps == steps[0]).all():
        return "positions skipped", f"every {steps[0]}th along axis {axis}, from {first} on"
    if len(middle) > 1 and (np.diff(middle) == np.diff(middle)[0]).all() and middle[0] < 2:
        return "positions skipped", f"all but every {np.diff(middle)[0]}th along axis {axis}"
    return "some slices", f"{', '.join(map(str, at[:6]))} along axis {axis}"


def _relation(s, which):
    """What G is to R there."""
    G, R = s.G[which], s.R[which]
    most = s.tolerance * s.top
    if (np.abs(G) <= most).all():
        return "0"
    energy = float(np.vdot(R, R))
    a = float(np.vdot(R, G)) / energy if energy > 0 else 0.0
    if a and (np.abs(G - a * R) <= max(most, 1e-9 * np.abs(G).max())).all():
        return f"{times(a)} × the right one"
    return OTHER
