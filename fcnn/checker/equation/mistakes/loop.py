"""Scans and cumulative operations: cut, truncated, reversed, or with values of another step."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from fcnn.checker.equation.evaluate import scan
from fcnn.checker.equation.mutation import Mutation
from fcnn.checker.equation.place import Place
from fcnn.checker.equation.program import Program
from fcnn.checker.equation.wording import line

STEPS = 9  # a truncated loop keeps fewer steps than this
CUMULATIVE = ("cumsum", "cumprod", "cummax", "cumlogsumexp")


def loops(place: Place) -> Iterator[Mutation]:
    e = place.equation
    if e.body is not None and place.backward:
        yield place.mutation("flipped", f"with the steps of {line(e)} reversed", _reversed)
        yield from _shorter(place)
        yield from _shifts(place)
    if e.name in CUMULATIVE:
        says = f"with the cumulative operation of {line(e)} in the other direction"
        yield place.mutation("flipped", says, _reversed)


def _shorter(place):
    """A gradient that stops before it reaches all steps."""
    e = place.equation
    kind, (first, carries, n) = "truncated in time", _counts(e)
    for k, slot in enumerate(e.body.inputs[first : first + carries]):
        if slot in e.body.cotangent:
            says = f"without the cotangent that passes from step to step in {line(e)}"
            yield place.mutation(kind, says, partial(_cut, k=k))
    for kept in range(1, min(n, STEPS)):
        for end in ("last", "first"):
            says = f"with the {end} {kept} of the {n} steps in {line(e)} only"
            yield place.mutation(kind, says, partial(_truncated, kept=kept, end=end))


def _shifts(place):
    """The saved value of the step before or after in place of a step's own."""
    e = place.equation
    first, carries, n = _counts(e)
    for k, slot in list(enumerate(e.inputs))[first + carries :]:
        if place.is_cotangent(slot) or not place.floating(slot) or n < 2:
            continue
        for by, where in ((1, "before"), (-1, "after")):
            what = place.named(slot)
            says = f"with the value of the step {where} for {what}{place.at(what)}"
            yield place.mutation("shifted", says, partial(_shifted, k=k, by=by))


def _counts(e):
    """The numbers of constants, of carries and of steps."""
    return e.consts, e.carries, e.params["length"]


def _reversed(scope, values, e, v):
    other = replace(e, params={**e.params, "reverse": not e.params["reverse"]})
    return scope.compute(other, v) if e.body is None else scan(scope, other, v)


def _shifted(scope, values, e, v, *, k, by):
    return scan(scope, e, [*v[:k], scope.xp.roll(v[k], by, 0), *v[k + 1 :]])


def _part(scope, e, v, part: slice, body: Program):
    """The outputs of the steps in `part`."""
    first, carries, _ = _counts(e)
    given = [*v[: first + carries], *(x[part] for x in v[first + carries :])]
    params = {**e.params, "length": part.stop - part.start}
    return scan(scope, replace(e, params=params, body=body), given)


def _truncated(scope, values, e, v, *, kept, end):
    """The scan over its first or last steps only; the outputs of the other steps are 0."""
    _, carries, n = _counts(e)
    last = end == "last"
    found = _part(scope, e, v, slice(n - kept, n) if last else slice(0, kept), e.body)
    rest = [scope.xp.zeros((n - kept, *y.shape[1:]), y.dtype) for y in found[carries:]]
    pairs = zip(rest, found[carries:], strict=True)
    return [*found[:carries], *(scope.xp.concatenate(p if last else p[::-1]) for p in pairs)]


def _cut(scope, values, e, v, *, k):
    """The scan, where carry k is 0 at the start of each step except the first."""
    first, carries, n = _counts(e)
    start, rest = slice(0, 1), slice(1, n)
    if e.params["reverse"]:
        start, rest = slice(n - 1, n), slice(0, n - 1)
    one = _part(scope, e, v, start, e.body)
    v = [*v[:first], *one[:carries], *v[first + carries :]]
    others = _part(scope, e, v, rest, _without(e.body, e.body.inputs[first + k]))
    pairs = zip(one[carries:], others[carries:], strict=True)
    joined = (scope.xp.concatenate(p[::-1] if e.params["reverse"] else p) for p in pairs)
    return [*others[:carries], *joined]


def _without(body: Program, slot: int) -> Program:
    """The program with 0 in place of an input."""
    zero, aval = len(body.avals), body.avals[slot]
    renamed = lambda slots: tuple(zero if s == slot else s for s in slots)
    return replace(
        body,
        avals=(*body.avals, aval),
        known={**body.known, zero: np.zeros(aval.shape, aval.dtype)},
        equations=tuple(replace(e, inputs=renamed(e.inputs)) for e in body.equations),
        outputs=renamed(body.outputs),
    )
