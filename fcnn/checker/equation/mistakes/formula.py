"""A missing term, a missing factor, another number."""

from collections.abc import Iterator
from functools import partial

from fcnn.checker.equation.mutation import Mutation, with_input
from fcnn.checker.equation.place import Place
from fcnn.checker.equation.wording import MOVES, as_a, line

SUMS = ("add", "add_any", "sub")


def terms(place: Place) -> Iterator[Mutation]:
    """Without a term of a sum, with its opposite sign, and with the term counted twice."""
    e = place.equation
    if e.name not in SUMS or not place.floating(e.outputs[0]):
        return
    sign = -1 if e.name == "sub" else 1
    sources = tuple((s.name, s.line) if s else None for s in map(place.source, e.inputs))
    for k, slot in enumerate(e.inputs):
        if place.is_literal(slot):
            continue
        what = place.named(slot)
        part = f"{as_a('term', what)}{place.at(what)}"
        part = f"the part that flows through {what}" if place.is_cotangent(slot) else part
        for amount, kind, says in (
            (0, "missing term", f"without {part}"),
            (-1, "wrong term", f"with the opposite sign of {part}"),
            (2, "wrong term", f"with {part} counted twice"),
        ):
            weights = [1, sign]
            weights[k] *= amount
            key = place.alike, sources, k, amount
            yield place.mutation(kind, says, partial(_weighted, weights=weights), key)


def _weighted(scope, values, e, v, *, weights):
    return [v[0] * weights[0] + v[1] * weights[1]]


def factors(place: Place) -> Iterator[Mutation]:
    """Without a factor, with its square, with its inverse; or without a step that keeps the shape.

    Of the factors of a cotangent, the cotangent itself stays.
    """
    e = place.equation
    if e.name in (*MOVES, *SUMS, "select_n") or len(e.outputs) != 1:
        return
    (out,) = e.outputs
    for k, slot in enumerate(e.inputs):
        stays = place.is_cotangent(slot) or not place.backward
        if not (stays and place.floating(slot) and place.same(slot, out)):
            continue
        if e.name not in ("mul", "div"):
            says = f"without the step {line(e)}"
            yield place.mutation("missing factor", says, partial(_input, k=k))
        elif not place.is_literal(e.inputs[1 - k]) and not (e.name == "div" and k == 1):
            what = as_a("factor", place.named(e.inputs[1 - k]))
            for kind, says, change in (
                ("missing factor", f"without {what}{place.at(what)}", _input),
                ("wrong factor", f"with {what} once too often", _squared),
                ("wrong factor", f"with the inverse of {what}", _inverted),
            ):
                yield place.mutation(kind, says, partial(change, k=k))


def pairs_of_factors(place: Place) -> Iterator[Mutation]:
    """Without two factors in a row, such as the mask and the scale of a dropout."""
    e = place.equation
    if e.name not in ("mul", "div") or not place.backward:
        return
    before = place.producers.get(e.inputs[0 if place.is_cotangent(e.inputs[0]) else 1])
    if before is None or before.name not in ("mul", "div", "select_n"):
        return
    for slot in before.inputs:
        if place.is_cotangent(slot) and place.same(slot, e.outputs[0]):
            says = f"without the two factors of {line(before)}"
            says += f" and {line(e)}" if e.line != before.line else ""
            yield place.mutation("missing factor", says, partial(_earlier, slot=slot))


def _earlier(scope, values, e, v, *, slot):
    return [values[slot]]


def _input(scope, values, e, v, *, k):
    return [v[k]]


def _squared(scope, values, e, v, *, k):
    return scope.compute(e, [*v[:k], scope.compute(e, v)[0], *v[k + 1 :]])


def _inverted(scope, values, e, v, *, k):
    return [v[k] / v[1 - k] if e.name == "mul" else v[k] * v[1 - k]]


def constants(place: Place) -> Iterator[Mutation]:
    """Another number in place of a constant, and another power."""
    e = place.equation
    if e.name == "integer_pow":
        n = e.params["y"]
        for m in dict.fromkeys((n - 1, n + 1, -n)):
            says = f"with the power {m} in place of {n} in {line(e)}"
            yield place.mutation("wrong derivative", says, partial(_power, n=m))
    if e.name not in ("mul", "div", "add", "sub", "pow", "max", "min"):
        return
    for k, slot in enumerate(e.inputs):
        if not place.floating(slot) or (c := place.number(slot)) is None:
            continue
        others = [1.0, -c, 2 * c, c / 2, c * c, 1 - c, 1 / (c or 1.0)]
        others += [0.0] if e.name in ("add", "sub", "max", "min") else []
        for other in dict.fromkeys(others):
            if other != c:
                says = f"with the number {other:.6g} in place of {c:.6g} in {line(e)}"
                change = with_input(k, lambda xp, a, number=other: xp.full_like(a, number))
                yield place.mutation("constant factor", says, change)


def _power(scope, values, e, v, *, n):
    return [v[0] ** n if n >= 0 else 1 / v[0] ** -n]
