"""Mistakes of order: every value is right, but at a wrong position.

The wrong gradient G is the right gradient R transposed, flipped or shifted along some axes, or with
blocks (the gates of a recurrent cell) exchanged. Or G is the right gradient of another argument.
"""

import itertools
from collections.abc import Iterator

import numpy as np

from fcnn.checker.diagnosis.context import Context, Hypothesis
from fcnn.checker.equation.wording import listed

NEAR = (-3, -2, -1, 1, 2, 3)  # distances of shifts along all spatial axes at once
FAR = 16  # the largest distance of a shift along one axis
ENOUGH = 6  # smallest number of entries that a shift must keep inside the array


def exchanged_arguments(c: Context) -> Iterator[Hypothesis]:
    for j, name, _ in c.other_leaves():
        R = c.references[j]
        if R.shape == c.R.shape and R.size > 1:
            yield Hypothesis("arguments exchanged", f"is the right gradient of {name}", R)
        elif R.T.shape == c.R.shape and R.size > 1:
            says = f"is the right gradient of {name}, transposed"
            yield Hypothesis("arguments exchanged", says, R.T)


def transposed(c: Context) -> Iterator[Hypothesis]:
    R = c.R
    for axes in itertools.permutations(range(R.ndim)):
        if axes == tuple(range(R.ndim)) or tuple(R.shape[k] for k in axes) != R.shape:
            continue
        moved = [k for k, axis in enumerate(axes) if axis != k]
        says = f"is the right gradient with axes {' and '.join(map(str, moved))} exchanged"
        kind = "channels exchanged" if c.of_channels(R, *moved) else "transposed"
        yield Hypothesis(kind, says, R.transpose(axes))
    for order in itertools.permutations(range(R.ndim)) if R.ndim > 1 else ():
        says = f"has the right values in another order: it was reshaped, not transposed by {order}"
        yield Hypothesis("transposed", says, R.transpose(order).reshape(R.shape))


def flipped(c: Context) -> Iterator[Hypothesis]:
    for axes in some_axes(c.R.shape):
        says = f"is the right gradient, flipped along {listed(axes)}"
        yield Hypothesis("flipped", says, np.flip(c.R, axes))


def shifted(c: Context) -> Iterator[Hypothesis]:
    for axis, n in enumerate(c.R.shape):
        most = min(n - 1, FAR)
        for k in sorted(range(-most, most + 1), key=abs)[1:]:
            gradient, known = rolled(c.R, k, axis)
            if not _enough(c, known):
                continue
            says = f"is the right gradient, shifted by {k} along axis {axis}"
            yield Hypothesis("shifted", says, gradient, known)
    spatial = range(1, c.R.ndim - 1)
    if len(spatial) > 1:
        for k in (k for k in NEAR if all(2 * abs(k) < c.R.shape[axis] for axis in spatial)):
            gradient, known = c.R, np.ones(c.R.shape, bool)
            for axis in spatial:
                (gradient, _), (_, new) = rolled(gradient, k, axis), rolled(c.R, k, axis)
                known = known & new
            if not _enough(c, known):
                continue
            says = f"is the right gradient, shifted by {k} along {listed(tuple(spatial))}"
            yield Hypothesis("shifted", says, gradient, known)


def _enough(c, known):
    """Whether the known entries are at least ENOUGH, and most of those that are not 0."""
    used = (c.G != 0) | (c.R != 0)
    return bool((known & used).sum() >= max(ENOUGH, used.sum() / 2))


def regrouped(c: Context) -> Iterator[Hypothesis]:
    """Channels in groups, with the axes of group and of channel exchanged."""
    n = c.R.shape[-1] if c.R.ndim else 0
    for g in (g for g in range(2, n) if n % g == 0):
        gradient = c.R.reshape(*c.R.shape[:-1], g, n // g).swapaxes(-1, -2).reshape(c.R.shape)
        says = f"has the right values, but splits its last axis into ({n // g}, {g}), "
        says += f"not ({g}, {n // g})"
        yield Hypothesis("channels exchanged", says, gradient)


def gates(c: Context) -> Iterator[Hypothesis]:
    for axis, n in enumerate(c.R.shape):
        for blocks in (4, 3, 2):
            if n % blocks or (n == blocks and axis != c.R.ndim - 1):
                continue
            parts = np.split(c.R, blocks, axis)
            for order in itertools.permutations(range(blocks)):
                if order == tuple(range(blocks)):
                    continue
                moved = [k for k, part in enumerate(order) if part != k]
                says = (
                    f"is the right gradient with blocks {' and '.join(map(str, moved))} of the "
                    f"{blocks} along axis {axis} exchanged (gates of a recurrent cell)"
                )
                gradient = np.concatenate([parts[k] for k in order], axis)
                yield Hypothesis("gates exchanged", says, gradient)


def rolled(a: np.ndarray, k: int, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Array `a` shifted by k along `axis`, and a mask of the entries that did not wrap around."""
    n = a.shape[axis]
    known = (np.arange(n) >= k) & (np.arange(n) < n + k)
    shape = [1] * a.ndim
    shape[axis] = n
    return np.roll(a, k, axis), np.broadcast_to(known.reshape(shape), a.shape)


def some_axes(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Every non-empty set of the axes that have at least 2 entries."""
    longer = [k for k, n in enumerate(shape) if n > 1]
    for size in range(1, len(longer) + 1):
        yield from itertools.combinations(longer, size)
