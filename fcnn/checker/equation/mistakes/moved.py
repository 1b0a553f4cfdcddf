"""A value that is reversed or shifted along an axis."""

import itertools
from collections.abc import Callable, Iterator
from functools import partial

from fcnn.checker.equation.mutation import Mutation, of_output, with_input
from fcnn.checker.equation.place import Place
from fcnn.checker.equation.wording import MOVES, listed


def moved(place: Place) -> Iterator[Mutation]:
    """A factor of the forward pass, or the cotangent that an equation gives, in another order."""
    e = place.equation
    if e.name in MOVES or e.body is not None:
        return
    for k, slot in enumerate(e.inputs):
        if not place.is_cotangent(slot):
            for kind, says, f in _moves(place, slot):
                yield place.mutation(kind, says + place.at(says), with_input(k, f))
    if place.backward and len(e.outputs) == 1:
        for kind, says, f in _moves(place, e.outputs[0]):
            yield place.mutation(kind, says, of_output(f))


def _moves(place: Place, slot: int) -> Iterator[tuple[str, str, Callable]]:
    """The kind, the sentence and the function of each way to move the value in `slot`."""
    if not place.floating(slot) or place.is_literal(slot):
        return
    what = place.named(slot)
    for axis, n in enumerate(place.shape(slot)):
        if n > 1:
            yield "flipped", f"with {what} reversed along axis {axis}", partial(_flipped, axis=axis)
        for by in (1, -1) if n > 2 else ():
            says = f"with {what} shifted by {by} along axis {axis}"
            yield "shifted", says, partial(_shifted, by=by, axes=(axis,))
    long = [axis for axis, n in enumerate(place.shape(slot)) if n > 2]
    for axes in itertools.combinations(long, 2):
        for by in (1, -1):
            says = f"with {what} shifted by {by} along {listed(axes)}"
            yield "shifted", says, partial(_shifted, by=by, axes=axes)


def _flipped(xp, a, *, axis):
    return xp.flip(a, axis)


def _shifted(xp, a, *, by, axes):
    """a, shifted by one; the entries that become free are 0."""
    for axis in axes:
        at = xp.arange(a.shape[axis]).reshape([-1 if k == axis else 1 for k in range(a.ndim)])
        a = xp.where(at == (0 if by > 0 else a.shape[axis] - 1), 0, xp.roll(a, by, axis))
    return a
