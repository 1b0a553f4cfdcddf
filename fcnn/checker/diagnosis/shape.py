"""Mistakes of shape: G and its argument have different shapes."""

import itertools
from collections.abc import Iterator

import numpy as np

from fcnn.checker.diagnosis.context import Context, Mistake
from fcnn.checker.equation.wording import listed


def other_shape(c: Context) -> Mistake:
    """The reduction, transposition or reshape that turns G into R, or R into G."""
    G, R = c.G, c.R
    says = f"has shape {G.shape}, not {R.shape}"
    if not (G.size and R.size):
        return Mistake("shape", says, exact=False)
    most = c.tolerance * max(c.top, float(np.abs(R).sum()))
    same = lambda a, b: a.shape == b.shape and np.abs(a - b).max(initial=0) <= most
    for axes in _sets(G.ndim):
        if any(same(G.sum(axes, keepdims=keep), R) for keep in (False, True)):
            return Mistake("not reduced", f"{says}: it must be summed over {listed(axes)}")
        if any(same(G.mean(axes, keepdims=keep), R) for keep in (False, True)):
            return Mistake("not reduced", f"{says}: it must be averaged over {listed(axes)}")
    for axis, m, total in _in_groups(G, R):
        if same(total, R):
            says += f": every {m} entries of axis {axis} must be summed"
            return Mistake("not reduced", says)
    for order in itertools.permutations(range(G.ndim)):
        if same(G.transpose(order), R):
            return Mistake("transposed", f"{says}: it is the right gradient, transposed")
    if G.size == R.size and same(G.reshape(R.shape), R):
        return Mistake("shape", f"{says}; its values are right: reshape it")
    for axes in _sets(R.ndim):
        if any(same(G, R.sum(axes, keepdims=keep)) for keep in (False, True)):
            return Mistake("reduced too far", f"{says}: it was summed over {listed(axes)} too")
    return Mistake("shape", says, exact=False)


def _sets(rank: int) -> Iterator[tuple[int, ...]]:
    """Sets of axes."""
    for size in range(1, rank + 1):
        yield from itertools.combinations(range(rank), size)


def _in_groups(G, R) -> Iterator[tuple[int, int, np.ndarray]]:
    """G summed along an axis that is m times too long: over m neighbours, or entries r apart."""
    if G.ndim != R.ndim:
        return
    for axis, (n, r) in enumerate(zip(G.shape, R.shape, strict=True)):
        if n > r > 0 and n % r == 0:
            head, tail, m = G.shape[:axis], G.shape[axis + 1 :], n // r
            yield axis, m, G.reshape(*head, r, m, *tail).sum(axis + 1)
            yield axis, m, G.reshape(*head, m, r, *tail).sum(axis)
