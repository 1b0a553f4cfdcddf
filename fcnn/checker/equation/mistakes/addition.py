"""A factor, a term or a contribution more: what the claimed backward pass may lack."""

from collections.abc import Iterator
from functools import partial

import jax.numpy as jnp
from jax import lax

from fcnn.checker.equation.mistakes.formula import SUMS
from fcnn.checker.equation.mistakes.value import CANDIDATES, alike
from fcnn.checker.equation.mutation import Mutation, with_input
from fcnn.checker.equation.place import Place
from fcnn.checker.equation.wording import as_a, line


def more_factors(place: Place) -> Iterator[Mutation]:
    """A value times, or divided by, a value of the forward pass, whose shape may be larger."""
    for other in [*_others(place, cotangents=False), *_wider(place)]:
        what = place.named(other)
        for says, change in (("times", _times), ("divided by", _divided)):
            says = f"with {place.named(place.equation.outputs[0])} {says} {what}"
            yield place.mutation("extra factor", says, partial(change, other=other))


def _wider(place):
    """Values of the forward pass with another length where this value has an axis of length 1."""
    out, program = place.equation.outputs[0], place.program
    shape = place.shape(out)
    if len(place.equation.outputs) > 1 or 1 not in shape or not place.floating(out):
        return []
    broadcasts = lambda s: all(n in (1, m) for n, m in zip(shape, place.shape(s), strict=True))
    found = [
        s
        for e in program.equations[: place.index]
        for s in e.outputs
        if not place.is_cotangent(s) and place.floating(s) and len(place.shape(s)) == len(shape)
        if place.shape(s) != shape and broadcasts(s) and place.fits(out, place.shape(s))
    ]
    return found[-CANDIDATES:]


def added(place: Place) -> Iterator[Mutation]:
    """The sum of several contributions to one entry in place of the last one."""
    e = place.equation
    if e.name in ("scatter", "dynamic_update_slice") and place.floating(e.outputs[0]):
        says = f"with the sum of several contributions to one entry, not the last, in {line(e)}"
        yield place.mutation("overwritten", says, _added)
    if e.name == "scatter" and place.floating(e.outputs[0]):
        says = "with the contributions to a repeated index added up, as np.add.at does, in "
        yield place.mutation("overwritten", says + line(e), _added_at)


def counts(place: Place) -> Iterator[Mutation]:
    """A term times, or divided by, the number of entries of an axis of an argument."""
    e, program = place.equation, place.program
    if e.name not in SUMS or not place.floating(e.outputs[0]):
        return
    lengths = {n for slot in program.inputs for n in place.shape(slot) if n > 1}
    for k, slot in enumerate(e.inputs):
        what = as_a("term", place.named(slot))
        for n in sorted(lengths) if not place.is_literal(slot) else ():
            for says, factor in (("times", n), ("divided by", 1 / n)):
                change = with_input(k, lambda xp, a, factor=factor: factor * a)
                yield place.mutation("extra factor", f"with {what} {says} {n}", change)


def _added(scope, values, e, v):
    if e.name == "dynamic_update_slice":
        return [v[0] + scope.compute(e, [0 * v[0], *v[1:]])[0]]
    operand, indices, updates = map(jnp.asarray, v)
    numbers, mode = e.params["dimension_numbers"], e.params["mode"]
    return [lax.scatter_add(operand, indices, updates, numbers, mode=mode)]


def _added_at(scope, values, e, v):
    """Updates are old value + contribution; each contribution is added to its entry."""
    operand, indices, updates = map(jnp.asarray, v)
    numbers, mode = e.params["dimension_numbers"], e.params["mode"]
    add = lambda a, b: lax.scatter_add(a, indices, b, numbers, mode=mode)
    times = add(jnp.zeros_like(operand), jnp.ones_like(updates))
    return [add(operand * (1 - times), updates)]


def more_terms(place: Place) -> Iterator[Mutation]:
    """A cotangent plus, or minus, another one of the same shape."""
    for other in _others(place, cotangents=True) if place.backward else ():
        what, mine = place.named(other), place.named(place.equation.outputs[0])
        for says, sign in ((f"with {what} added to {mine}", 1), (f"with {mine} minus {what}", -1)):
            yield place.mutation("extra term", says, partial(_plus, other=other, sign=sign))


def _others(place, cotangents):
    e = place.equation
    if len(e.outputs) > 1 or not place.floating(e.outputs[0]):
        return []
    return alike(place, e.outputs[0], cotangents)


def _times(scope, values, e, v, *, other):
    return [scope.compute(e, v)[0] * values[other]]


def _divided(scope, values, e, v, *, other):
    return [scope.compute(e, v)[0] / values[other]]


def _plus(scope, values, e, v, *, other, sign):
    return [scope.compute(e, v)[0] + sign * values[other]]
