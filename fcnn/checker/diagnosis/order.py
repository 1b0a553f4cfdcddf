"""Mistakes of order: every number is right, but stands in another place.

Transposed, flipped along some axes, shifted along one, its blocks (the gates of a recurrent cell)
exchanged, or the gradient of another argument.
"""

import itertools
from collections.abc import Iterator

import numpy as np

from fcnn.checker.diagnosis.context import Context, Hypothesis

NEAR = (-3, -2, -1, 1, 2, 3)  # shifts along all spatial axes at once that are tried
FAR = 16  # and at most so far along one
ENOUGH = 6  # entries that must be known then


def exchanged_arguments(s: Context) -> Iterator[Hypothesis]:
    for j, name, _ in s.others():
        R = s.rights[j]
        if R.shape == s.R.shape and R.size > 1:
            yield Hypothesis("arguments exchanged", f"is the right gradient of {name}", R)
        elif R.T.shape == s.R.shape and R.size > 1:
            says = f"is the right gradient of {name}, transposed"
            yield Hypothesis("arguments exchanged", says, R.T)


def transposed(s: Context) -> Iterator[Hypothesis]:
    R = s.R
    for axes in itertools.permutations(range(R.ndim)):
        if axes == tuple(range(R.ndim)) or tuple(R.shape[k] for k in axes) != R.shape:
            continue
        moved = [k for k, axis in enumerate(axes) if axis != k]
        says = f"is the right gradient with axes {' and '.join(map(str, moved))} exchanged"
        kind = "channels exchanged" if s.of_channels(R, *moved) else "transposed"
        yield Hypothesis(kind, says, R.transpose(axes))
    for order in itertools.permutations(range(R.ndim)) if R.ndim > 1 else ():
        says = f"has the right numbers in another order: reshaped where axes {order} were meant"
        yield Hypothesis("transposed", says, R.transpose(order).reshape(R.shape))


def flipped(s: Context) -> Iterator[Hypothesis]:
    for axes in some_axes(s.R.shape):
        says = f"is the right gradient, flipped along {listed(axes)}"
        yield Hypothesis("flipped", says, np.flip(s.R, axes))


def shifted(s: Context) -> Iterator[Hypothesis]:
    for axis, n in enumerate(s.R.shape):
        most = min(n - 1, FAR)
        for k in sorted(range(-most, most + 1), key=abs)[1:]:
            there, counts = rolled(s.R, k, axis)
            if counts.sum() < ENOUGH:
                continue
            says = f"is the right gradient, shifted by {k} along axis {axis}"
            yield Hypothesis("shifted", says, there, counts)
    spatial = range(1, s.R.ndim - 1)
    if len(spatial) > 1:
        for k in (k for k in NEAR if all(2 * abs(k) < s.R.shape[axis] for axis in spatial)):
            there, counts = s.R, np.ones(s.R.shape, bool)
            for axis in spatial:
                (there, _), (_, new) = rolled(there, k, axis), rolled(s.R, k, axis)
                counts = counts & new
            says = f"is the right gradient, shifted by {k} along {listed(tuple(spatial))}"
            yield Hypothesis("shifted", says, there, counts)


def regrouped(s: Context) -> Iterator[Hypothesis]:
    """Channels in groups, group by group where they stand entry by entry."""
    n = s.R.shape[-1] if s.R.ndim else 0
    for g in (g for g in range(2, n) if n % g == 0):
        there = s.R.reshape(*s.R.shape[:-1], g, n // g).swapaxes(-1, -2).reshape(s.R.shape)
        says = f"has the right numbers, its last axis read as ({n // g}, {g}), not ({g}, {n // g})"
        yield Hypothesis("channels exchanged", says, there)


def gates(s: Context) -> Iterator[Hypothesis]:
    for axis, n in enumerate(s.R.shape):
        for blocks in (4, 3, 2):
            if n % blocks or (n == blocks and axis != s.R.ndim - 1):
                continue
            parts = np.split(s.R, blocks, axis)
            for order in itertools.permutations(range(blocks)):
                if order == tuple(range(blocks)):
                    continue
                moved = [k for k, part in enumerate(order) if part != k]
                says = (
                    f"is the right gradient with blocks {' and '.join(map(str, moved))} of the "
                    f"{blocks} along axis {axis} exchanged (the gates of a cell)"
                )
                there = np.concatenate([parts[k] for k in order], axis)
                yield Hypothesis("gates exchanged", says, there)


def rolled(a: np.ndarray, k: int, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """a moved by k along an axis, and where it then is known."""
    n = a.shape[axis]
    known = (np.arange(n) >= k) & (np.arange(n) < n + k)
    shape = [1] * a.ndim
    shape[axis] = n
    return np.roll(a, k, axis), np.broadcast_to(known.reshape(shape), a.shape)


def some_axes(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Sets of axes that are longer than 1."""
    longer = [k for k, n in enumerate(shape) if n > 1]
    for size in range(1, len(longer) + 1):
        yield from itertools.combinations(longer, size)


def listed(axes: tuple[int, ...]) -> str:
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {', '.join(map(str, axes))}"
