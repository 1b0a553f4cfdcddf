"""Channels, heads or groups in another order; the smallest entries for the largest."""

import itertools
from collections.abc import Iterator
from functools import partial

from fcnn.checker.equation.mutation import Mutation
from fcnn.checker.equation.place import Place
from fcnn.checker.equation.wording import line, operation

PARTS = 8  # number of joined parts that are exchanged in pairs
LARGEST = ("top_k", "sort", "argmax", "argmin", "reduce_max", "reduce_min", "cummax")


def orders(place: Place) -> Iterator[Mutation]:
    e = place.equation
    if e.name in LARGEST and len(e.inputs) == 1 and place.floating(e.inputs[0]):
        says = f"with the smallest in place of the largest in {line(e)}"
        yield place.mutation("flipped", says, _smallest)
    if e.name == "reshape" and place.floating(e.outputs[0]):
        yield from _blocks(place)
    if e.name == "concatenate" and place.floating(e.outputs[0]):
        for p, q in itertools.combinations(range(min(len(e.inputs), PARTS)), 2):
            if place.shape(e.inputs[p]) == place.shape(e.inputs[q]):
                says = f"with parts {p} and {q} of {operation(e)} exchanged"
                yield place.mutation("channels exchanged", says, partial(_exchanged, p=p, q=q))


def _exchanged(scope, values, e, v, *, p, q):
    v = list(v)
    v[p], v[q] = v[q], v[p]
    return scope.compute(e, v)


def _smallest(scope, values, e, v):
    found = scope.compute(e, [-v[0]])
    return [-a if a.dtype == v[0].dtype else a for a in found]


def _blocks(place):
    """A split of an axis of a b entries into (a, b), or their merge, with b blocks of a."""
    e = place.equation
    before, after = place.shape(e.inputs[0]), place.shape(e.outputs[0])
    splits = len(after) > len(before)
    short, long = (before, after) if splits else (after, before)
    for k in range(len(short)):
        a, b = [*long, 1, 1][k : k + 2]
        if long[:k] == short[:k] and a * b == short[k] and a > 1 and b > 1:
            says = f"with blocks of {a} in place of blocks of {b} along axis {k} in {line(e)}"
            if a == b:
                says = f"with the {a} × {b} entries of axis {k} in the other order in {line(e)}"
            change = partial(_split if splits else _merged, k=k)
            yield place.mutation("channels exchanged", says, change)


def _split(scope, values, e, v, *, k):
    shape = list(e.params["new_sizes"])
    shape[k], shape[k + 1] = shape[k + 1], shape[k]
    return [scope.xp.swapaxes(v[0].reshape(shape), k, k + 1)]


def _merged(scope, values, e, v, *, k):
    return [scope.xp.swapaxes(v[0], k, k + 1).reshape(e.params["new_sizes"])]
