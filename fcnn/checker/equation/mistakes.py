"""The mistakes that people make in one step of a backward pass, kind by kind.

Each function yields the mutations of one kind at one equation:

    kind                  the equation                  the mistake
    missing term          a + b of two cotangents       a alone, b alone, a - b, a + 2 b
    missing factor        t = dy · f                    dy, or dy · f²
    constant factor       a number in a formula         another number
    wrong value           f(value)                      f(another value of the same shape)
    transposed            t or one factor               with two axes exchanged
    wrong axis            a sum or maximum              over other axes
    missing sum term      Σ t, repeated along the axis  t itself
    mean for sum          Σ t                           Σ t / n
    mask                  where(mask, a, b)             without, or with another mask
    truncated in time     a step back in time           the cotangent of one carry is lost
    overwritten           contributions to one entry    the last one
    flipped               a scan or cumulative sum      in the other direction
    shifted               the values that a scan saves  those of the step before or after
"""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import jax.numpy as jnp
import numpy as np
from jax import lax

from fcnn.checker.equation.evaluate import scan
from fcnn.checker.equation.mutation import Mutation, Place
from fcnn.checker.equation.program import Equation, Program
from fcnn.checker.equation.wording import MOVES, line

STEPS = 9  # a truncated loop keeps fewer steps than this
CANDIDATES = 14  # the largest number of values that are tried in place of one
COMPARISONS = {"gt": "ge", "ge": "gt", "lt": "le", "le": "lt"}
SUMS = {"reduce_sum": "sum", "reduce_max": "maximum", "reduce_min": "minimum"}


def terms(place: Place) -> Iterator[Mutation]:
    e = place.equation
    if e.name not in ("add", "add_any", "sub") or len(e.inputs) != 2:
        return
    if not place.floating(e.outputs[0]):
        return
    sign = -1 if e.name == "sub" else 1
    sources = tuple((s.name, s.line) if s else None for s in map(place.source, e.inputs))
    for k, slot in enumerate(e.inputs):
        if place.is_literal(slot):
            continue
        part = _part(place, slot)
        for amount, says in (
            (0, f"without {part}"),
            (-1, f"with the opposite sign of {part}"),
            (2, f"with {part} counted twice"),
        ):
            weights = [1, sign]
            weights[k] *= amount
            change = partial(_weighted, weights=weights)
            key = place.ranks[e.outputs[0]][0], sources, k, amount
            yield Mutation("missing term", says, {place.site: change}, key=key)


def _weighted(scope, values, e, v, *, weights):
    return [v[0] * weights[0] + v[1] * weights[1]]


def factors(place: Place) -> Iterator[Mutation]:
    e = place.equation
    out = e.outputs[0]
    if e.name in MOVES or len(e.outputs) > 1 or not place.floating(out):
        return
    for k, slot in enumerate(e.inputs):
        same = place.shape(slot) == place.shape(out) and place.program.avals[slot].dtype == (
            place.program.avals[out].dtype
        )
        # Of two factors without dy, either may be missing; dy itself may not.
        wanted = place.is_cotangent(slot) or not place.backward
        if not same or not wanted or e.name in ("add", "add_any", "sub", "select_n"):
            continue
        if e.name in ("mul", "div"):
            other = e.inputs[1 - k]
            if place.is_literal(other) or (e.name == "div" and k == 1):
                continue
            what = place.named(other)
            yield _mutation(
                place, "missing factor", f"without the factor {what}{_at(place, what)}", _input(k)
            )
            yield _mutation(
                place,
                "missing factor",
                f"with the factor {what} once too often",
                lambda scope, values, e, v, k=k: scope.compute(
                    e, _with(v, k, scope.compute(e, v)[0])
                ),
            )
            opposite = (lambda v: v[0] / v[1]) if e.name == "mul" else (lambda v: v[0] * v[1])
            if k == 0 or e.name == "mul":
                order = (lambda v: v) if k == 0 else (lambda v: v[::-1])
                says = f"with the inverse of the factor {what}"
                yield _mutation(
                    place,
                    "missing factor",
                    says,
                    lambda scope, values, e, v, f=opposite, o=order: [f(o(v))],
                )
        else:
            yield _mutation(place, "missing factor", f"without the step {line(e)}", _input(k))


def constants(place: Place) -> Iterator[Mutation]:
    e = place.equation
    if e.name == "integer_pow" and place.floating(e.outputs[0]):
        n = e.params["y"]
        for m in dict.fromkeys((n - 1, n + 1, -n)):
            yield _mutation(
                place,
                "wrong derivative",
                f"with the power {m} in place of {n} in {line(e)}",
                lambda scope, values, e, v, m=m: [v[0] ** m if m >= 0 else 1 / v[0] ** -m],
            )
    if e.name not in ("mul", "div", "add", "sub", "pow", "max", "min"):
        return
    for k, slot in enumerate(e.inputs):
        if not (place.floating(slot) and _is_number(place, slot)):
            continue
        c = float(_number(place, slot).real)
        others = {1.0: "1", -c: f"{-c:.6g}", 2 * c: f"{2 * c:.6g}", c / 2: f"{c / 2:.6g}"}
        others |= {c * c: f"{c * c:.6g}", 1 - c: f"{1 - c:.6g}"}
        if c:
            others |= {1 / c: f"{1 / c:.6g}"}
        if e.name in ("add", "sub", "max", "min"):
            others |= {0.0: "0"}
        for other, shown in others.items():
            if other == c:
                continue
            says = f"with the number {shown} in place of {c:.6g} in {line(e)}"
            yield _mutation(
                place,
                "constant factor",
                says,
                lambda scope, values, e, v, k=k, a=other: scope.compute(
                    e, _with(v, k, scope.xp.full_like(v[k], a))
                ),
            )


def values(place: Place) -> Iterator[Mutation]:
    """Another value of the same shape in place of one that a formula uses."""
    e = place.equation
    if e.name in MOVES or e.name == "scan":
        return
    for k, slot in enumerate(e.inputs):
        if not place.floating(slot) or place.is_literal(slot) or not place.shape(slot):
            continue
        if e.name == "dot_general" and not place.is_cotangent(slot):
            what = place.named(slot)
            says = f"without the factor {what}{_at(place, what)}"
            yield _mutation(
                place,
                "missing factor",
                says,
                lambda scope, values, e, v, k=k: scope.compute(
                    e, _with(v, k, scope.xp.ones_like(v[k]))
                ),
            )
        for other in _like(place, slot):
            says = f"with {place.named(other)} in place of {place.named(slot)}"
            change = partial(_other, k=k, other=other)
            yield Mutation("wrong value", says, {place.site: change}, key=_key(place, k, other))


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


def _other(scope, values, e, v, *, k, other):
    return scope.compute(e, _with(v, k, values[other]))


def everywhere(place: Place) -> Iterator[Mutation]:
    """Another value in place of one that several equations of the backward pass use."""
    e = place.equation
    if not place.backward or e.body is not None:
        return
    for k, slot in enumerate(e.inputs):
        if place.is_cotangent(slot) or not place.floating(slot) or not place.shape(slot):
            continue
        later = [q for q in place.program.equations if slot in q.inputs and _is_backward(place, q)]
        if len(later) < 2 or later[0] is not e or e.inputs.index(slot) != k:
            continue
        for other in _like(place, slot):
            says = f"with {place.named(other)} in place of {place.named(slot)} everywhere"
            yield Mutation(
                "wrong value",
                says,
                {place.site: partial(_replaced, slot=slot, other=other)},
                also=slot,
            )


def _is_backward(place, e):
    return place.is_cotangent(e.outputs[0])


def _replaced(scope, values, e, v, *, slot, other):
    values[slot] = values[other]
    return scope.compute(e, [values[s] for s in e.inputs])


def transposed(place: Place) -> Iterator[Mutation]:
    e = place.equation
    if e.name != "dot_general" or not place.floating(e.outputs[0]):
        return
    for k, slot in enumerate(e.inputs):
        for p, q in _equal_axes(place.shape(slot)):
            if k and not place.backward and len(place.shape(slot)) > 2:
                continue
            what = place.named(slot)
            says = f"with axes {p} and {q} of {what} exchanged{_at(place, what)}"
            yield _mutation(
                place,
                "transposed",
                says,
                lambda scope, values, e, v, k=k, p=p, q=q: scope.compute(
                    e, _with(v, k, scope.xp.swapaxes(v[k], p, q))
                ),
            )


def axes(place: Place) -> Iterator[Mutation]:
    """A sum that is repeated along its axes: over other axes, or left out."""
    e = place.equation
    if e.name not in ("broadcast_in_dim", "reshape"):
        return
    before = place.source(e.inputs[0])
    if before is None or before.name not in SUMS or not place.floating(e.outputs[0]):
        return
    whole = before.inputs[0]
    if place.shape(whole) != place.shape(e.outputs[0]) or whole not in place.producers:
        return
    where, what = line(before), SUMS[before.name]
    if before.name == "reduce_sum":
        says = f"without the sum in {where}"
        yield _mutation(
            place, "missing sum term", says, lambda scope, values, e, v: [values[whole]]
        )
    rank, mine = len(place.shape(whole)), tuple(before.params["axes"])
    for size in range(1, rank + 1):
        for other in itertools.combinations(range(rank), size):
            if other == mine:
                continue
            says = f"with the {what} in {where} over {_listed(other)}, not {_listed(mine)}"
            yield _mutation(
                place,
                "wrong axis",
                says,
                lambda scope, values, e, v, other=other: [
                    scope.xp.broadcast_to(
                        getattr(scope.xp, before.name.removeprefix("reduce_"))(
                            values[whole], axis=other, keepdims=True
                        ),
                        values[whole].shape,
                    )
                ],
            )


def means(place: Place) -> Iterator[Mutation]:
    e = place.equation
    if e.name != "reduce_sum" or not place.floating(e.outputs[0]):
        return
    shape = place.shape(e.inputs[0])
    n = math.prod(shape[axis] for axis in e.params["axes"])
    for other in itertools.combinations(range(len(shape)), len(e.params["axes"])):
        left = [m for k, m in enumerate(shape) if k not in other]
        if other != tuple(e.params["axes"]) and tuple(left) == place.shape(e.outputs[0]):
            says = (
                f"with the sum in {line(e)} over {_listed(other)}, not {_listed(e.params['axes'])}"
            )
            yield _mutation(
                place,
                "wrong axis",
                says,
                lambda scope, values, e, v, other=other: [v[0].sum(other)],
            )
    if n > 1:
        yield _mutation(
            place,
            "mean for sum",
            f"with a mean in place of the sum of {line(e)}",
            lambda scope, values, e, v: [scope.compute(e, v)[0] / n],
        )


def masks(place: Place) -> Iterator[Mutation]:
    e = place.equation
    if e.name in COMPARISONS:
        other = COMPARISONS[e.name]
        signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
        yield _mutation(
            place,
            "mask",
            f"with {signs[other]} in place of {signs[e.name]} in {line(e)}",
            lambda scope, values, e, v, name=other: [_compared(name, *v)],
        )
        for k, slot in enumerate(e.inputs):
            if place.program.avals[slot].dtype.kind in "iu" and _is_number(place, slot):
                c = int(_number(place, slot))
                for other in (c - 1, c + 1):
                    yield _mutation(
                        place,
                        "mask",
                        f"with the number {other} in place of {c} in {line(e)}",
                        lambda scope, values, e, v, k=k, a=other: scope.compute(
                            e, _with(v, k, scope.xp.full_like(v[k], a))
                        ),
                    )
    if e.name != "select_n" or not place.floating(e.outputs[0]) or len(e.inputs) != 3:
        return
    yield from _moved_masks(place)
    for k in (1, 2):
        says = f"without the mask of {line(e)}"
        yield _mutation(place, "mask", says, _input(k))
    says = f"with the inverted mask of {line(e)}"
    yield _mutation(
        place, "mask", says, lambda scope, values, e, v: scope.compute(e, [~v[0], *v[1:]])
    )
    shape = place.shape(e.inputs[0])
    for axis, n in enumerate(shape):
        for k in (-1, 1) if n > 1 else ():
            says = f"with the mask of {line(e)} shifted by {k} along axis {axis}"
            yield _mutation(
                place,
                "mask",
                says,
                lambda scope, values, e, v, k=k, axis=axis: scope.compute(
                    e, [scope.xp.roll(v[0], k, axis), *v[1:]]
                ),
            )
        for wider, what in ((True, "wider"), (False, "narrower")) if n > 2 else ():
            says = f"with the mask of {line(e)} {what} by one along axis {axis}"
            yield _mutation(place, "mask", says, partial(_resized_mask, axis=axis, wider=wider))
    for wider, what in ((True, "wider"), (False, "narrower")) if len(shape) > 1 else ():
        says = f"with the band of the mask of {line(e)} {what} by one on each side"
        yield _mutation(place, "mask", says, partial(_resized_band, wider=wider))
    for p, q in _equal_axes(shape):
        says = f"with axes {p} and {q} of the mask of {line(e)} exchanged"
        yield _mutation(
            place,
            "mask",
            says,
            lambda scope, values, e, v, p=p, q=q: scope.compute(
                e, [scope.xp.swapaxes(v[0], p, q), *v[1:]]
            ),
        )


def _resized_mask(scope, values, e, v, *, axis, wider):
    mask = v[0] == (v[0].reshape(-1)[0] if wider else ~v[0].reshape(-1)[0])
    grown = mask | _moved(scope, mask, 1, axis) | _moved(scope, mask, -1, axis)
    return scope.compute(e, [v[0] ^ (grown & ~mask), *v[1:]])


def _resized_band(scope, values, e, v, *, wider):
    """A mask that depends on q - p only, for indices p, q along the last axes, as a band does."""
    *_, n, m = v[0].shape
    first = v[0].reshape(-1, n, m)[0]
    offsets = scope.xp.concatenate([first[::-1, 0], first[0, 1:]])  # of q - p from 1 - n on
    mask = offsets if wider else ~offsets
    grown = mask | _moved(scope, mask, 1, 0) | _moved(scope, mask, -1, 0)
    offsets = grown if wider else ~grown
    p, q = scope.xp.arange(n)[:, None], scope.xp.arange(m)[None]
    return scope.compute(e, [scope.xp.broadcast_to(offsets[q - p + n - 1], v[0].shape), *v[1:]])


def _moved(scope, mask, by, axis):
    n = mask.shape[axis]
    steps = scope.xp.arange(n).reshape([-1 if k == axis else 1 for k in range(mask.ndim)])
    return scope.xp.roll(mask, by, axis) & ((steps >= by) & (steps < n + by))


def _moved_masks(place):
    """A mask of the forward pass that is applied to a later value of the same shape."""
    e, program = place.equation, place.program
    if place.backward:
        return
    shape, depends = place.shape(e.outputs[0]), {e.outputs[0]}
    for later in range(place.index + 1, len(program.equations)):
        q = program.equations[later]
        if place.is_cotangent(q.outputs[0]):
            break
        if not depends.intersection(q.inputs) or q.body is not None:
            continue
        depends.update(q.outputs)
        if place.shape(q.outputs[0]) != shape or not place.floating(q.outputs[0]):
            continue
        for kept in (1, 2):
            changes = {
                place.site: _input(kept),
                (*place.path, later): partial(_masked, mask=e.inputs[0], kept=kept),
            }
            says = f"with the mask of {line(e)} applied to {place.named(q.outputs[0])}"
            yield Mutation("mask", says, changes)


def _masked(scope, values, e, v, *, mask, kept):
    """The output, and 0 where the mask chooses the other case."""
    y = scope.compute(e, v)[0]
    return [scope.xp.where(scope.xp.asarray(values[mask], bool) == (kept == 2), y, 0 * y)]


def orders(place: Place) -> Iterator[Mutation]:
    """Channels, heads or groups in another order; the smallest for the largest."""
    e = place.equation
    if e.name in ("top_k", "sort", "argmax", "argmin", "reduce_max", "reduce_min", "cummax"):
        if place.floating(e.inputs[0]) and len(e.inputs) == 1:
            says = f"with the smallest in place of the largest in {line(e)}"
            yield _mutation(place, "flipped", says, _smallest)
    if e.name != "reshape" or not place.floating(e.outputs[0]):
        return
    before, after = place.shape(e.inputs[0]), place.shape(e.outputs[0])
    for short, long, splits in ((before, after, True), (after, before, False)):
        for k in range(len(short)):
            if (
                len(long) == len(short) + 1
                and long[:k] == short[:k]
                and long[k + 2 :] == short[k + 1 :]
            ):
                a, b = long[k : k + 2]
                if a > 1 and b > 1:
                    says = (
                        f"with blocks of {a} in place of blocks of {b} along axis {k} in {line(e)}"
                    )
                    change = partial(_reordered, k=k, splits=splits)
                    yield _mutation(place, "channels exchanged", says, change)


def _smallest(scope, values, e, v):
    found = scope.compute(e, [-v[0]])
    return [-a if a.dtype == v[0].dtype else a for a in found]


def _reordered(scope, values, e, v, *, k, splits):
    """A split or merge of axis k in which the other factor varies fastest."""
    if splits:
        shape = list(e.params["new_sizes"])
        shape[k], shape[k + 1] = shape[k + 1], shape[k]
        return [scope.xp.swapaxes(v[0].reshape(shape), k, k + 1)]
    return [scope.xp.swapaxes(v[0], k, k + 1).reshape(e.params["new_sizes"])]


def recurrences(place: Place) -> Iterator[Mutation]:
    e = place.equation
    if e.name == "scan" and place.backward and e.body is not None:
        yield from _of_scan(place)
    if e.name in ("cumsum", "cumprod", "cummax", "cumlogsumexp"):
        says = f"with the cumulative operation of {line(e)} in the other direction"
        yield _mutation(place, "flipped", says, _other_direction)


def _of_scan(place):
    e, body = place.equation, place.equation.body
    yield _mutation(place, "flipped", f"with the steps of {line(e)} reversed", _other_direction)
    first, carries = e.params["num_consts"], e.params["num_carry"]
    for k, slot in enumerate(body.inputs[first : first + carries]):
        if slot in body.cotangent:
            says = f"without the cotangent that passes from step to step in {line(e)}"
            yield _mutation(place, "truncated in time", says, partial(_cut, k=k))
    for kept in range(1, min(e.params["length"], STEPS)):
        for end in ("last", "first"):
            says = f"with the {end} {kept} of the {e.params['length']} steps in {line(e)} only"
            yield _mutation(
                place, "truncated in time", says, partial(_truncated, kept=kept, end=end)
            )
    for k in range(first + carries, len(e.inputs)):
        slot = e.inputs[k]
        if place.is_cotangent(slot) or not place.floating(slot) or place.shape(slot)[0] < 2:
            continue
        for by, where in ((1, "before"), (-1, "after")):
            what = place.named(slot)
            says = f"with the value of the step {where} for {what}{_at(place, what)}"
            yield _mutation(place, "shifted", says, partial(_shifted, k=k, by=by))


def _cut(scope, values, e, v, *, k):
    """The scan, where carry k is 0 at the start of each step except the first."""
    first, carries = e.params["num_consts"], e.params["num_carry"]
    n, reverse = e.params["length"], e.params["reverse"]
    parts = (slice(n - 1, n), slice(0, n - 1)) if reverse else (slice(0, 1), slice(1, n))
    whole, found = v[first + carries :], []
    for part, body in zip(parts, (e.body, _without(e.body, e.body.inputs[first + k])), strict=True):
        length = {"length": part.stop - part.start}
        now = replace(e, params={**e.params, **length}, body=body)
        found.append(scan(scope, now, [*v[: first + carries], *(x[part] for x in whole)]))
        v = [*v[:first], *found[-1][:carries], *whole]
    rows = [
        pair[::-1] if reverse else pair for pair in zip(*(f[carries:] for f in found), strict=True)
    ]
    return [*found[-1][:carries], *map(scope.xp.concatenate, rows)]


def _without(body: Program, slot: int) -> Program:
    """The program with 0 in place of an input."""
    zero = len(body.avals)
    aval = body.avals[slot]
    renamed = lambda slots: tuple(zero if s == slot else s for s in slots)
    return replace(
        body,
        avals=(*body.avals, aval),
        known={**body.known, zero: np.zeros(aval.shape, aval.dtype)},
        equations=tuple(replace(e, inputs=renamed(e.inputs)) for e in body.equations),
        outputs=renamed(body.outputs),
    )


def _truncated(scope, values, e, v, *, kept, end):
    """The scan over its first or last steps only; the outputs of the other steps are 0."""
    first = e.params["num_consts"] + e.params["num_carry"]
    n = e.params["length"]
    part = slice(n - kept, n) if end == "last" else slice(0, kept)
    found = scan(
        scope,
        replace(e, params={**e.params, "length": kept}),
        [*v[:first], *(x[part] for x in v[first:])],
    )
    carries = e.params["num_carry"]
    rest = lambda y: scope.xp.zeros((n - kept, *y.shape[1:]), y.dtype)
    joined = lambda y: scope.xp.concatenate([rest(y), y] if end == "last" else [y, rest(y)])
    return [*found[:carries], *map(joined, found[carries:])]


def _shifted(scope, values, e, v, *, k, by):
    return scan(scope, e, _with(v, k, scope.xp.roll(v[k], by, 0)))


def _other_direction(scope, values, e, v):
    other = replace(e, params={**e.params, "reverse": not e.params["reverse"]})
    return scope.compute(other, v) if e.body is None else scan(scope, other, v)


def _mutation(place, kind, says, change):
    return Mutation(kind, says, {place.site: change})


def _input(k):
    return lambda scope, values, e, v: [v[k]]


def _with(v, k, value):
    return [*v[:k], value, *v[k + 1 :]]


def _compared(name, a, b):
    return {"gt": a > b, "ge": a >= b, "lt": a < b, "le": a <= b}[name]


def _part(place, slot):
    """A term of a sum, by the operation through which it flows."""
    what = place.named(slot)
    if place.is_cotangent(slot):
        return f"the part that flows through {what}"
    return f"the term {what}{_at(place, what)}"


def _at(place, what):
    """The line of an equation, unless `what` has it already."""
    where = str(place.equation.line)
    return "" if place.equation.line is None or where in what else f" in {where}"


def _is_number(place, slot):
    """Whether a value is one constant number, also repeated over a shape."""
    e = place.producers.get(slot)
    while e is not None and e.name in MOVES:
        slot = e.inputs[0]
        e = place.producers.get(slot)
    return place.is_literal(slot)


def _number(place, slot):
    while slot in place.producers:
        slot = place.producers[slot].inputs[0]
    return np.asarray(place.program.known[slot])


def _equal_axes(shape):
    return [
        (p, q)
        for p, q in itertools.combinations(range(len(shape)), 2)
        if shape[p] == shape[q] and shape[p] > 1
    ]


def _like(place, slot):
    """Values of the same shape and dtype, the nearest equations and the arguments first."""
    program, same = place.program, place.program.avals[slot]
    like = lambda s: (
        s != slot
        and program.avals[s].shape == same.shape
        and program.avals[s].dtype == same.dtype
        and s not in program.known
        and place.is_cotangent(s) == place.is_cotangent(slot)
    )
    before = [s for e in program.equations[: place.index] for s in e.outputs]
    near = sorted(before, key=lambda s: abs(s - slot))
    chosen = [s for s in (*program.inputs, *near) if like(s)]
    return list(dict.fromkeys(chosen))[:CANDIDATES]


def _listed(axes):
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {', '.join(map(str, axes))}"


def overwritten(place: Place) -> Iterator[Mutation]:
    e = place.equation
    if e.name == "add_any" and _padded(place) is not None:
        yield from _overwritten_windows(place)
    if e.name == "scatter-add" and place.backward:
        says = f"with the last of several contributions to one entry, not their sum, in {line(e)}"
        yield _mutation(place, "overwritten", says, _last)


def _padded(place: Place) -> Equation | None:
    """The pad of one of two added values, such as the cotangent of a slice."""
    found = [place.producers.get(slot) for slot in place.equation.inputs]
    return next((p for p in found if p is not None and p.name == "pad"), None)


def _overwritten_windows(place):
    """All sums of padded values in the program, if this is the last of them."""
    program, changes = place.program, {}
    for index, e in enumerate(program.equations):
        other = replace(place, index=index)
        if e.name == "add_any" and _padded(other) is not None:
            changes[other.site] = _pad_over
    if changes and max(changes) == place.site:
        for first in (True, False):
            says = "with the last of several contributions to one entry, not their sum"
            change = partial(_pad_over, later=first)
            yield Mutation("overwritten", says, dict.fromkeys(changes, change))


def _pad_over(scope, values, e, v, *, later=True):
    """The value that is not 0; where neither is, the later or the earlier one."""
    a, b = v if later else v[::-1]
    return [scope.xp.where(b != 0, b, a)]


def _last(scope, values, e, v):
    """Scatter without addition; the update that is last in memory counts."""
    p = e.params
    return [
        lax.scatter(
            jnp.asarray(v[0]),
            jnp.asarray(v[1]),
            jnp.asarray(v[2]),
            p["dimension_numbers"],
            mode=p["mode"],
        )
    ]


KINDS: dict[str, Callable[[Place], Iterator[Mutation]]] = {
    "terms": terms,
    "recurrences": recurrences,
    "overwritten": overwritten,
    "masks": masks,
    "orders": orders,
    "axes": axes,
    "means": means,
    "transposed": transposed,
    "factors": factors,
    "constants": constants,
    "values": values,
    "everywhere": everywhere,
}
