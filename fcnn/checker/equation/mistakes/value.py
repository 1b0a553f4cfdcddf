"""Another value in place of the right one, and transposed factors."""

from collections.abc import Iterator
from functools import partial

from fcnn.checker.equation.mutation import Mutation, of_output, with_input
from fcnn.checker.equation.place import Place
from fcnn.checker.equation.wording import MOVES, as_a, line

INDEXED = ("gather", "scatter", "scatter-add")
CANDIDATES = 14  # the largest number of values that are tried in place of one


def values(place: Place) -> Iterator[Mutation]:
    """Another value of the same shape, or 1, in place of one that a formula uses."""
    e = place.equation
    for k, slot in _used(place):
        if e.name == "dot_general" and not place.is_cotangent(slot):
            what = as_a("factor", place.named(slot))
            says = f"without {what}{place.at(what)}"
            ones = with_input(k, lambda xp, a: xp.ones_like(a))
            yield place.mutation("missing factor", says, ones)
        yield from _others(place, k, place.is_cotangent(slot))


def mixed(place: Place) -> Iterator[Mutation]:
    """A cotangent in place of a value of the forward pass, or the other way round."""
    for k, slot in _used(place):
        yield from _others(place, k, not place.is_cotangent(slot))


def _used(place):
    """The inputs that may be another value."""
    e = place.equation
    for k, slot in enumerate(e.inputs) if e.body is None else ():
        made = place.producers.get(slot)
        if e.name in MOVES and made is not None and made.name in MOVES:
            continue
        if place.floating(slot) and not place.is_literal(slot) and place.shape(slot):
            yield k, slot


def _others(place, k, cotangents):
    slot = place.equation.inputs[k]
    for other in alike(place, slot, cotangents):
        says = f"with {_other_than(place, other, slot)} in place of {place.named(slot)}"
        change, key = partial(_other, k=k, other=other), _key(place, k, other)
        yield place.mutation("wrong value", says, change, key)


def _other_than(place, other, slot):
    """The name of the value `other`, which differs from the name of `slot`."""
    name = place.named(other)
    if name != place.named(slot):
        return name
    repeated = {other, slot} <= place.ranks.keys() and place.ranks[other][0] == place.ranks[slot][0]
    return "the value of another repetition" if repeated else "another value of this line"


def _other(scope, values, e, v, *, k, other):
    return scope.compute(e, [*v[:k], values[other], *v[k + 1 :]])


def _key(place, k, other):
    """What the same mistake has in common in all repetitions of an unrolled loop.

    The loop of the backward pass runs from the last step to the first.
    """
    alike, rank = place.ranks[place.equation.outputs[0]]
    slot = place.equation.inputs[k]
    for made, of in ((other, slot), (slot, other)):  # one is computed from the other
        e = place.producers.get(made)
        if e is not None and of in e.inputs:
            return alike, k, made == other, e.name, e.line, e.inputs.index(of)
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
            says = f"with {_other_than(place, other, slot)} in place of {what} everywhere"
            change = partial(_replaced, slot=slot, other=other)
            yield Mutation("wrong value", says, {place.site: change}, also=slot)


def _replaced(scope, values, e, v, *, slot, other):
    values[slot] = values[other]
    return scope.compute(e, [values[s] for s in e.inputs])


def alike(place: Place, slot: int, cotangents: bool) -> list[int]:
    """Values of the same shape and dtype.

    They are the values that compute this one or are computed from it, the arguments, and the
    results of the nearest equations.
    """
    program = place.program
    before = program.equations[: place.index]
    related = [s for e in before if slot in e.inputs for s in e.outputs]
    if slot in place.producers:
        related += place.producers[slot].inputs
    near = sorted((s for e in before for s in e.outputs), key=lambda s: abs(s - slot))
    found = [
        s
        for s in dict.fromkeys((*related, *program.inputs, *near))
        if s != slot and place.same(s, slot) and place.is_cotangent(s) == cotangents
    ]
    return found[:CANDIDATES]


def indices(place: Place) -> Iterator[Mutation]:
    """The indices of another line in an indexing or a sum by index."""
    e = place.equation
    if e.name not in INDEXED or not place.integer(e.inputs[1]):
        return
    mine, seen = e.inputs[1], set()
    for q in place.program.equations:
        if q.name in INDEXED and place.same(q.inputs[1], mine) and q.inputs[1] != mine:
            if q.inputs[1] not in seen and q.line != e.line:
                says = f"with the indices of {line(q)} in {line(e)}"
                change = partial(_other, k=1, other=q.inputs[1])
                yield place.mutation("wrong value", says, change)
            seen.add(q.inputs[1])


def transposed(place: Place) -> Iterator[Mutation]:
    """Two axes of equal length exchanged: of a factor of a matrix product, or of a matrix."""
    e = place.equation
    if not place.floating(e.outputs[0]) or e.name in MOVES:
        return
    for k, slot in enumerate(e.inputs) if e.name == "dot_general" else ():
        for says, f in _transposes(place, slot):
            yield place.mutation("transposed", says + place.at(says), with_input(k, f))
    if len(e.outputs) == 1:
        for says, f in _transposes(place, e.outputs[0]):
            yield place.mutation("transposed", says, of_output(f))


def _transposes(place, slot):
    for p, q in place.equal_axes(slot):
        says = f"with axes {p} and {q} of {place.named(slot)} exchanged"
        yield says, lambda xp, a, p=p, q=q: xp.swapaxes(a, p, q)
