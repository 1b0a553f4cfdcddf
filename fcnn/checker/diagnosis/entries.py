"""Mistakes of position: G equals R except at some entries, whose positions name the mistake.

    entries that are wrong                   mistake
    a few                                    single entry
    where x <= 0, x < 0 or x > 0             wrong below zero
    where x has equal entries                ties
    slices at the start or end of an axis    border dropped, ragged window, truncated in time
    slices at regular distances              positions skipped

If G = a R at these entries with one number a, the message adds a.
"""

from collections.abc import Iterator

import numpy as np

from fcnn.checker.diagnosis.context import Context, Hypothesis, Mistake, counted, ordinal, times
from fcnn.checker.equation.wording import listed

FEW = 3  # largest number of entries that a message lists
MOST_OF_A_BORDER = 0.7  # a larger part of an axis is no border
MOST_TIED = 512  # for more wrong entries, their gradients are not computed one by one
MANY = 10**4  # an array with this many rows or more is not searched for ties within rows


def single(c: Context) -> Iterator[Hypothesis]:
    wrong = c.wrong()
    at = np.argwhere(wrong)
    if len(at) <= FEW and 4 * len(at) < wrong.size:
        shown = ", ".join(f"[{','.join(map(str, index))}]" for index in at.tolist())
        there = f"{counted(len(at), 'entry', 'entries')} only: {shown}"
        yield _hypothesis(c, "single entry", f"is wrong in {there}, where it is", wrong)


def below_zero(c: Context) -> Iterator[Hypothesis]:
    name = c.names[c.i]
    if _is_where(c, c.argument == 0) and not (c.argument == 0).all():
        says = f"is wrong exactly where {name} = 0: it is not between the two slopes of the kink"
        yield Hypothesis("kink", says, np.where(c.argument == 0, c.G, c.R), exact=False)
    for where, sign in (("≤ 0", np.less_equal), ("< 0", np.less), ("> 0", np.greater)):
        which = sign(c.argument, 0)
        if _is_where(c, which) and not which.all() and _follows_signs(c, sign):
            says = f"is wrong exactly where {name} {where}: there it is"
            yield _hypothesis(c, "wrong below zero", says, which)


def _follows_signs(c, sign):
    """Whether the same holds if the entries of x get other signs, as far as R is known there."""
    rng = np.random.default_rng(0)
    other = c.at(c.argument * rng.choice([-1.0, 1.0], c.argument.shape))
    return other is None or bool(
        np.isfinite(other.G).all() and _is_where(other, sign(other.argument, 0))
    )


def ties(c: Context) -> Iterator[Hypothesis]:
    """Every tied entry has the gradient that it has if it alone is moved up, or down."""
    wrong = c.wrong()
    tied = next((t for t in _tied(c.argument) if t.any() and (t | ~wrong).all()), None)
    if tied is None or wrong.all() or int(wrong.sum()) > MOST_TIED:
        return
    for sign in (1, -1):
        whole = c.R.copy()
        for k in np.flatnonzero(wrong):
            moved = c.argument.copy()
            moved.flat[k] += sign * 1e-6 * (np.abs(moved).max() or 1.0)
            found = c.for_other({c.i: moved})
            whole.flat[k] = np.nan if found is None else found.flat[k]
        says = f"is wrong only at tied entries of {c.names[c.i]}: each gets the whole gradient; "
        says += "give it to one of them, or share it among all"
        yield Hypothesis("ties", says, whole)


def _tied(x):
    """Two masks of tied entries: equal to another entry of the array, or of the same row."""
    yield _repeated(x.ravel()).reshape(x.shape)
    if x.ndim > 1 and 0 < x.size // x.shape[-1] < MANY:
        rows = x.reshape(-1, x.shape[-1])
        yield np.stack(list(map(_repeated, rows))).reshape(x.shape)


def _repeated(x):
    _, which, count = np.unique(x, return_inverse=True, return_counts=True)
    return count[which] > 1


def slices(c: Context) -> Iterator[Hypothesis]:
    """Whole slices in which G is 0, or a R with one number a."""
    yield from (hypothesis for which, hypothesis in _slices(c) if _factor(c, which) is not None)


def any_slices(c: Context) -> Iterator[Hypothesis]:
    """Whole slices in which G is wrong in any way. For slices of examples, the kind is unknown."""
    for which, hypothesis in _slices(c):
        examples = which.all(_but(0, which.ndim)) == which.any(_but(0, which.ndim))
        yield hypothesis._replace(kind="some slices") if examples.all() else hypothesis


def described(c: Context) -> Mistake | None:
    """The number of wrong entries, and the smallest block of indices that holds them all."""
    wrong = c.wrong()
    n = int(wrong.sum())
    if not n:
        return None
    if wrong.all():
        return Mistake("", f"is wrong in all {n} entries" if n > 1 else "is wrong", exact=False)
    at = np.argwhere(wrong)
    low, high = at.min(0).tolist(), at.max(0).tolist()
    blocks = [f"{a}" if a == b else f"{a} to {b}" for a, b in zip(low, high, strict=True)]
    axes = [
        f"{block} along axis {k}"
        for k, (block, size) in enumerate(zip(blocks, wrong.shape, strict=True))
        if high[k] - low[k] + 1 < size
    ]
    where = f", at indices {' and '.join(axes)}" if axes else ""
    return Mistake("", f"is wrong in {n} of {wrong.size} entries{where}", exact=False)


def gaps(c: Context) -> Iterator[Hypothesis]:
    """Nonzero entries of G between the positions that a stride reaches, where R is 0."""
    zero, wrong = np.abs(c.R) <= c.tolerance * c.top, c.wrong()
    if not (wrong & zero).any() or (wrong & ~zero).any():
        return
    for axis in range(zero.ndim):
        empty = zero.all(_but(axis, zero.ndim))
        at = np.flatnonzero(~empty)
        steps = np.diff(at)
        if empty.any() and len(steps) and steps[0] > 1 and (steps == steps[0]).all():
            says = "is not 0 between the positions that are read, "
            says += f"every {ordinal(int(steps[0]))} along axis {axis}"
            yield Hypothesis("positions skipped", says, np.where(wrong, c.G, c.R), exact=False)


def _slices(c):
    """Mask and hypothesis of wrong slices: along one axis, or at all borders of spatial axes."""
    wrong, rank = c.wrong(), c.R.ndim
    if wrong.all():
        return
    seen = wrong | c.both_zero()
    along = [seen.all(_but(k, rank)) & wrong.any(_but(k, rank)) for k in range(rank)]
    for axes in [(k,) for k in range(rank)] + [tuple(range(1, rank - 1))] * (rank > 3):
        which = np.zeros(wrong.shape, bool)
        for axis in axes:
            which |= np.expand_dims(along[axis], _but(axis, rank))
        if not _is_where(c, which):
            continue
        kind, where = _pattern(along[axes[0]], axes[0], rank)
        if len(axes) == 1:
            if kind == "truncated in time" and not c.is_time(c.i, axes[0]):
                kind = (
                    "border dropped" if along[axes[0]].mean() < MOST_OF_A_BORDER else "some slices"
                )
            if kind in ("border dropped", "ragged window") and not c.is_spatial(axes[0]):
                kind = "some slices"
        if len(axes) > 1:
            where = f"the borders of {listed(axes)}"
            inner = any(not along[axis][0] for axis in axes)
            kind = {"truncated in time": "positions skipped"}.get(kind, kind)
            kind = "border dropped" if kind == "ragged window" and not inner else kind
        yield which, _hypothesis(c, kind, f"is wrong exactly at {where}: there it is", which)


def _pattern(indices, axis, rank):
    """The mistake that wrong indices along an axis suggest, and a description of the indices."""
    at, right, n = np.flatnonzero(indices), np.flatnonzero(~indices), len(indices)
    if not len(at) or not len(right):
        return "some slices", f"all {n} indices along axis {axis}"
    first, last, step = at[0], at[-1], np.diff(at)
    if first == 0 and last == n - 1 and (np.diff(right) == 1).all():
        lo, hi = right[0], n - 1 - right[-1]
        return "border dropped", (
            f"the first {lo} and the last {hi} of the {n} indices along axis {axis}"
        )
    if len(at) == 2 and first + last == n - 1 and 3 * first < n:
        return "border dropped", f"indices {first} and {last} of the {n} along axis {axis}"
    if (step == 1).all() and (first == 0 or last == n - 1):
        where = f"the {'last' if first else 'first'} {len(at)} of the {n} indices along axis {axis}"
        if 2 * len(at) >= n:
            return "truncated in time", where
        return ("ragged window" if first else "border dropped"), where
    if len(at) > 2 and step[0] > 1 and (step == step[0]).all():
        return (
            "positions skipped",
            f"every {ordinal(int(step[0]))} index along axis {axis}, from {first} on",
        )
    gap = np.diff(right)
    if len(gap) > 1 and gap[0] > 1 and (gap == gap[0]).all():
        return "positions skipped", f"all but every {ordinal(int(gap[0]))} index along axis {axis}"
    return "some slices", f"indices {', '.join(map(str, at[:6]))} of the {n} along axis {axis}"


def _hypothesis(c, kind, says, which):
    """The hypothesis that only these entries are wrong; its message adds the value of G there."""
    a = _factor(c, which)
    value = "another value" if a is None else f"{times(a)} × the right gradient" if a else "0"
    return Hypothesis(kind, f"{says} {value}", np.where(which, c.G, c.R), exact=a is not None)


def _factor(c, which):
    """The number a with G = a R at these entries, or None."""
    G, R, most = c.G[which], c.R[which], c.tolerance * c.top
    energy = float(np.vdot(R, R))
    a = float(np.vdot(R, G)) / energy if energy > 0 else 0.0
    a = 0.0 if (np.abs(G) <= most).all() else a
    fits = (np.abs(G - a * R) <= max(most, 1e-9 * np.abs(G).max(initial=0))).all()
    return a if fits else None


def _is_where(c, which):
    """Whether `which` is the mask of wrong entries; entries that are 0 in G and R do not count."""
    wrong = c.wrong()
    return bool(((wrong == which) | c.both_zero()).all() and (which & wrong).any())


def _but(axis, rank):
    """All axes except this one."""
    return tuple(k for k in range(rank) if k != axis)
