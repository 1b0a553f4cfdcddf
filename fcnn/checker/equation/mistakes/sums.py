"""Sums over other axes, means for sums, and contributions that overwrite each other."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import jax.numpy as jnp
from jax import lax

from fcnn.checker.equation.mutation import Mutation
from fcnn.checker.equation.place import Place
from fcnn.checker.equation.program import Equation
from fcnn.checker.equation.wording import line, listed

REDUCTIONS = {"reduce_sum": "sum", "reduce_max": "max", "reduce_min": "min"}


def axes(place: Place) -> Iterator[Mutation]:
    """A sum that is repeated along its axes: left out, or over other axes."""
    e = place.equation
    if e.name not in ("broadcast_in_dim", "reshape") or not place.floating(e.outputs[0]):
        return
    before = place.source(e.inputs[0])
    if before is None or before.name not in REDUCTIONS:
        return
    whole, mine = before.inputs[0], tuple(before.params["axes"])
    shape, f = place.shape(whole), REDUCTIONS[before.name]
    kept = tuple(1 if k in mine else n for k, n in enumerate(shape))
    repeated = place.shape(e.outputs[0]) == shape
    if whole not in place.producers or not (
        repeated or (place.shape(e.outputs[0]) == kept and place.fits(e.outputs[0], shape))
    ):
        return
    if f == "sum":
        says = f"without the sum in {line(before)}"
        yield place.mutation("missing sum term", says, partial(_whole, whole=whole))
    for size in range(1, len(shape) + 1):
        for other in itertools.combinations(range(len(shape)), size):
            if other != mine:
                says = f"with the {f} in {line(before)} over {listed(other)}, not {listed(mine)}"
                change = partial(_reduced, whole=whole, f=f, axes=other, repeated=repeated)
                yield place.mutation("wrong axis", says, change)


def _whole(scope, values, e, v, *, whole):
    return [values[whole]]


def _reduced(scope, values, e, v, *, whole, f, axes, repeated):
    a = values[whole]
    found = getattr(scope.xp, f)(a, axis=axes, keepdims=True)
    return [scope.xp.broadcast_to(found, a.shape) if repeated else found]


def means(place: Place) -> Iterator[Mutation]:
    """A mean for a sum, and a sum over other axes of the same lengths."""
    e = place.equation
    if e.name != "reduce_sum" or not place.floating(e.outputs[0]):
        return
    shape, mine = place.shape(e.inputs[0]), tuple(e.params["axes"])
    for other in itertools.combinations(range(len(shape)), len(mine)):
        left = tuple(n for k, n in enumerate(shape) if k not in other)
        if other != mine and left == place.shape(e.outputs[0]):
            says = f"with the sum in {line(e)} over {listed(other)}, not {listed(mine)}"
            yield place.mutation("wrong axis", says, partial(_summed, axes=other))
    n = math.prod(shape[axis] for axis in mine)
    if n > 1:
        says = f"with a mean in place of the sum in {line(e)}"
        yield place.mutation("mean for sum", says, partial(_summed, axes=mine, n=n))


def _summed(scope, values, e, v, *, axes, n=1):
    return [v[0].sum(axes) / n]


def overwritten(place: Place) -> Iterator[Mutation]:
    """The last of several contributions to one entry in place of their sum."""
    e = place.equation
    says = "with the last of several contributions to one entry, not their sum"
    if e.name == "add_any" and (changes := _windows(place)):
        for later in (True, False):
            change = partial(_not_zero, later=later)
            yield Mutation("overwritten", says, dict.fromkeys(changes, change))
    if e.name == "scatter-add" and place.backward:
        yield place.mutation("overwritten", f"{says}, in {line(e)}", _last)


def _windows(place: Place):
    """The sites of all sums of windows, if this is the last of them."""
    each = (replace(place, index=k) for k in range(len(place.program.equations)))
    sites = [other.site for other in each if _adds_a_window(other)]
    return sites if sites and max(sites) == place.site else []


def _adds_a_window(place):
    """Whether a term of a sum is padded, as the cotangent of a slice is."""
    made: list[Equation | None] = [place.producers.get(slot) for slot in place.equation.inputs]
    return place.equation.name == "add_any" and any(p and p.name == "pad" for p in made)


def _not_zero(scope, values, e, v, *, later):
    """The later or the earlier value where it is not 0, else the other one."""
    a, b = v if later else v[::-1]
    return [scope.xp.where(b != 0, b, a)]


def _last(scope, values, e, v):
    """Scatter without addition; the last update in memory counts."""
    operand, indices, updates = map(jnp.asarray, v)
    return [
        lax.scatter(operand, indices, updates, e.params["dimension_numbers"], mode=e.params["mode"])
    ]
