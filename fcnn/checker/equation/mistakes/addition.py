"""A factor or a term more: what the claimed backward pass may lack."""

from collections.abc import Iterator
from functools import partial

from fcnn.checker.equation.mistakes.value import alike
from fcnn.checker.equation.mutation import Mutation
from fcnn.checker.equation.place import Place


def more_factors(place: Place) -> Iterator[Mutation]:
    """A cotangent times, or divided by, a value of the forward pass."""
    for other in _others(place, cotangents=False):
        what = place.named(other)
        for says, change in (("times", _times), ("divided by", _divided)):
            says = f"with {place.named(place.equation.outputs[0])} {says} {what}"
            yield place.mutation("extra factor", says, partial(change, other=other))


def more_terms(place: Place) -> Iterator[Mutation]:
    """A cotangent plus, or minus, another one of the same shape."""
    for other in _others(place, cotangents=True):
        what, mine = place.named(other), place.named(place.equation.outputs[0])
        for says, sign in ((f"with {what} added to {mine}", 1), (f"with {mine} minus {what}", -1)):
            yield place.mutation("extra term", says, partial(_plus, other=other, sign=sign))


def _others(place, cotangents):
    e = place.equation
    if not place.backward or len(e.outputs) > 1 or not place.floating(e.outputs[0]):
        return []
    return alike(place, e.outputs[0], cotangents)


def _times(scope, values, e, v, *, other):
    return [scope.compute(e, v)[0] * values[other]]


def _divided(scope, values, e, v, *, other):
    return [scope.compute(e, v)[0] / values[other]]


def _plus(scope, values, e, v, *, other, sign):
    return [scope.compute(e, v)[0] + sign * values[other]]
