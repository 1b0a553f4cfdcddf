"""Kinds of mutations that the checker does not know: they are used only to judge it.

They were chosen without having read the kinds that the checker knows, after mistakes in homework,
textbooks and bug reports of frameworks. A cotangent is a value that depends on dy, a factor is a
value of the forward pass that multiplies or divides a cotangent.

Two of them are not unseen any more: mutants of the functions for tuning by `clipped cotangent` and
`rectified cotangent` were accepted, so fcnn.check now tests that a gradient is linear in dy.

clipped cotangent     each entry of a cotangent is clipped to [-1, 1]
discounted cotangent  a cotangent is multiplied by 0.9ᵏ at index k of an axis
rectified cotangent   a cotangent is 0 where it is negative, as if ReLU masked it by its own sign
uncleared buffer      a cotangent is summed up along an axis, as in a buffer that is never cleared
memory order          a matrix is read in the order of its transpose: reshaped, not transposed
split layout          even entries of an axis before the odd ones: two layouts of pairs are mixed
absolute factor       the absolute value of a factor
last term lost        a sum or a matrix product stops before the last index of an axis
added epsilon         1e-3 is added to a denominator, or to the argument of a logarithm or root
wrong count           a mean over n entries is divided by n - 1
"""

import math
from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np

from fcnn.checker.equation.mutation import Mutation, with_input
from fcnn.checker.equation.place import Place

EPSILON = 1e-3


def cotangents(kind: str, change: Callable, fewest: int = 0):
    """Mutations of the cotangent that an equation computes: change(xp, a), of its dtype.

    With `fewest`, change(xp, a, axis) for each axis with at least `fewest` entries.
    """

    def kinds(place: Place) -> Iterator[Mutation]:
        e = place.equation
        if not place.backward or not _computed(place):
            return
        says = f"{kind} of {e.name}"
        if not fewest:
            yield Mutation(kind, says, {place.site: _of_output(change)})
            return
        for axis, n in enumerate(place.shape(e.outputs[0])):
            if n >= fewest:
                change_at = _of_output(change, axis)
                yield Mutation(kind, f"{says}, axis {axis}", {place.site: change_at})

    return kinds


def factors(kind: str, change: Callable):
    """Mutations of a factor of an equation of the backward pass: change(xp, a), of its dtype."""

    def kinds(place: Place) -> Iterator[Mutation]:
        e = place.equation
        for k in _factors(place):
            changes = {place.site: with_input(k, _of_dtype(change))}
            yield Mutation(kind, f"{kind}: input {k} of {e.name}", changes)

    return kinds


def memory_order(place: Place) -> Iterator[Mutation]:
    e = place.equation
    shape = place.shape(e.outputs[0])
    if not place.backward or not _computed(place) or len(shape) < 2:
        return
    *rest, n, m = shape
    if 1 < n != m > 1:  # a square matrix would be transposed, which is another mistake
        change = lambda xp, a: xp.swapaxes(xp.reshape(a, (*rest, m, n)), -1, -2)
        yield Mutation("memory order", f"{e.name} reshaped", {place.site: _of_output(change)})


def last_term_lost(place: Place) -> Iterator[Mutation]:
    e = place.equation
    if not place.backward or not place.floating(e.outputs[0]):
        return
    axes = ()
    if e.name == "reduce_sum":
        axes = e.params["axes"]
    elif e.name == "dot_general":
        axes = e.params["dimension_numbers"][0][0]
    for axis in axes:
        if place.shape(e.inputs[0])[axis] > 1:
            changes = {place.site: with_input(0, _without_last(axis))}
            yield Mutation("last term lost", f"last term of {e.name}, axis {axis}", changes)


def added_epsilon(place: Place) -> Iterator[Mutation]:
    e = place.equation
    negative = e.name == "integer_pow" and e.params["y"] < 0
    k = 1 if e.name == "div" else 0
    if not (negative or e.name in ("div", "rsqrt", "sqrt", "log")):
        return
    if place.floating(e.inputs[k]) and place.number(e.inputs[k]) is None:
        change = _of_dtype(lambda xp, a: a + EPSILON)
        yield Mutation("added epsilon", f"in {e.name}", {place.site: with_input(k, change)})


def wrong_count(place: Place) -> Iterator[Mutation]:
    e = place.equation
    if e.name not in ("mul", "div") or not _computed(place):
        return
    for k, slot in enumerate(e.inputs):
        number = place.number(slot)
        if not number or (e.name == "div" and k == 0):
            continue
        n = number if e.name == "div" else 1 / number  # 2 and 1/2 are mostly no counts
        if 2.5 < n < 1e9 and abs(n - round(n)) < 1e-6 * n and round(n) in _counts(place):
            change = _of_output(lambda xp, a, n=n: a * (n / (n - 1)))
            yield Mutation("wrong count", f"{round(n)} - 1 in {e.name}", {place.site: change})


def _computed(place):
    """Whether the equation has one output, which is floating."""
    outputs = place.equation.outputs
    return len(outputs) == 1 and place.floating(outputs[0])


def _factors(place):
    """The inputs of an equation of the backward pass that are factors."""
    e = place.equation
    if place.backward and _computed(place) and e.name in ("mul", "div", "dot_general"):
        for k, slot in enumerate(e.inputs):
            if not place.is_cotangent(slot) and place.floating(slot) and place.number(slot) is None:
                yield k


def _counts(place):
    """Numbers of entries over which the program could take a mean."""
    shapes = {aval.shape for aval in place.program.avals if hasattr(aval, "shape")}
    return {
        math.prod(part)
        for shape in shapes
        for some in range(1, len(shape) + 1)
        for part in combinations(shape, some)
    }


def _of_output(change, *axis):
    """The change of an equation that changes its only output."""
    keep = _of_dtype(change)
    return lambda scope, values, e, v: [keep(scope.xp, scope.compute(e, v)[0], *axis)]


def _of_dtype(change):
    """The change, with a result of the dtype of the value: bfloat16 becomes float32 in NumPy."""

    def kept(xp, a, *axis):
        a = xp.asarray(a)  # a number that is written in the function may be a Python float
        return xp.asarray(change(xp, a, *axis)).astype(a.dtype)

    return kept


def _taken(order, axis):
    return lambda xp, a: xp.take(xp.asarray(a), order, axis)


def _without_last(axis):
    return lambda xp, a: xp.where(_ramp(a, axis) < a.shape[axis] - 1, a, xp.zeros_like(a))


def _ramp(a, axis):
    """The indices of an axis, in a shape that is broadcast to the shape of a."""
    return np.arange(a.shape[axis]).reshape(-1, *[1] * (a.ndim - 1 - axis))


def _clipped(xp, a):
    return a / xp.maximum(1, xp.abs(a))  # also for complex entries


def _discounted(xp, a, axis):
    return a * xp.asarray(0.9 ** _ramp(a, axis))


def _rectified(xp, a):
    return a if a.dtype.kind == "c" else xp.maximum(a, 0)  # complex entries have no sign


def _split(xp, a, axis):
    n = a.shape[axis]
    return xp.take(a, np.r_[0:n:2, 1:n:2], axis)


UNSEEN = {
    "clipped cotangent": cotangents("clipped cotangent", _clipped),
    "discounted cotangent": cotangents("discounted cotangent", _discounted, fewest=2),
    "rectified cotangent": cotangents("rectified cotangent", _rectified),
    "uncleared buffer": cotangents("uncleared buffer", lambda xp, a, k: xp.cumsum(a, k), fewest=2),
    "memory order": memory_order,
    "split layout": cotangents("split layout", _split, fewest=3),
    "absolute factor": factors("absolute factor", lambda xp, a: xp.abs(a)),
    "last term lost": last_term_lost,
    "added epsilon": added_epsilon,
    "wrong count": wrong_count,
}
