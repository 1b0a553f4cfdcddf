"""Another value in place of the right one, and transposed factors."""

from collections.abc import Iterator
from functools import partial

from fcnn.checker.equation.mutation import Mutation, with_input
from fcnn.checker.equation.place import Place
from fcnn.checker.equation.wording import MOVES

CANDIDATES = 14  # the largest number of values that are tried in place of one


def values(place: Place) -> Iterator[Mutation]:
    """Another value of the same shape, or 1, in place of one that a formula uses."""
    e = place.equation
    if e.name in MOVES or e.body is not None:
        return
    for k, slot in enumerate(e.inputs):
        if not place.floating(slot) or place.is_literal(slot) or not place.shape(slot):
            continue
        what = place.named(slot)
        if e.name == "dot_general" and not place.is_cotangent(slot):
            says = f"without the factor {what}{place.at(what)}"
            ones = with_input(k, lambda xp, a: xp.ones_like(a))
            yield place.mutation("missing factor", says, ones)
        for other in alike(place, slot, place.is_cotangent(slot)):
            says = f"with {_other_than(place, other, what)} in place of {what}"
            change, key = partial(_other, k=k, other=other), _key(place, k, other)
            yield place.mutation("wrong value", says, change, key)


def _other_than(place, slot, what):
    """The name of a value, which differs from the name `what`."""
    name = place.named(slot)
    return name if name != what else "another value of this line"


def _other(scope, values, e, v, *, k, other):
    return scope.compute(e, [*v[:k], values[other], *v[k + 1 :]])


def _key(place, k, other):
    """What the same mistake has in common in all repetitions of an unrolled loop.

    The loop of the backward pass runs from the last step to the first.
    """
    alike, rank = place.ranks[place.equation.outputs[0]]
    if other not in place.ranks:
        return alike, k, other
    like, its = place.ranks[other]
    against = place.backward and not place.is_cotangent(other)
    return alike, k, like, its + rank if against else its - rank


def everywhere(place: Place) -> Iterator[Mutation]:
    """Another value in place of one that several equations of the backward pass use."""
    e = place.equation
    if not place.backward or e.body is not None:
        return
    for k, slot in enumerate(e.inputs):
        if place.is_cotangent(slot) or not place.floating(slot) or not place.shape(slot):
            continue
        users = [q for q in place.program.equations if slot in q.inputs]
        users = [q for q in users if place.is_cotangent(q.outputs[0])]
        if len(users) < 2 or users[0] is not e or e.inputs.index(slot) != k:
            continue
        for other in alike(place, slot, place.is_cotangent(slot)):
            what = place.named(slot)
            says = f"with {_other_than(place, other, what)} in place of {what} everywhere"
            change = partial(_replaced, slot=slot, other=other)
            yield Mutation("wrong value", says, {place.site: change}, also=slot)


def _replaced(scope, values, e, v, *, slot, other):
    values[slot] = values[other]
    return scope.compute(e, [values[s] for s in e.inputs])


def alike(place: Place, slot: int, cotangents: bool) -> list[int]:
    """Values of the same shape and dtype: the arguments, and results of the nearest equations."""
    program = place.program
    before = [s for e in program.equations[: place.index] for s in e.outputs]
    near = sorted(before, key=lambda s: abs(s - slot))
    found = [
        s
        for s in dict.fromkeys((*program.inputs, *near))
        if s != slot and place.same(s, slot) and place.is_cotangent(s) == cotangents
    ]
    return found[:CANDIDATES]


def transposed(place: Place) -> Iterator[Mutation]:
    """A matrix product with two axes of a factor exchanged."""
    e = place.equation
    if e.name != "dot_general" or not place.floating(e.outputs[0]):
        return
    for k, slot in enumerate(e.inputs):
        for p, q in place.equal_axes(slot):
            what = place.named(slot)
            says = f"with axes {p} and {q} of {what} exchanged{place.at(what)}"
            change = with_input(k, lambda xp, a, p=p, q=q: xp.swapaxes(a, p, q))
            yield place.mutation("transposed", says, change)
