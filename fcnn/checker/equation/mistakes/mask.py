"""Masks: none, inverted, transposed, off by one, or applied to a later value."""

from collections.abc import Iterator
from functools import partial

from fcnn.checker.equation.mutation import Mutation, with_input
from fcnn.checker.equation.place import Place
from fcnn.checker.equation.wording import line

COMPARISONS = {"gt": (">", "ge"), "ge": ("≥", "gt"), "lt": ("<", "le"), "le": ("≤", "lt")}
SIZES = ((True, "wider"), (False, "narrower"))


def masks(place: Place) -> Iterator[Mutation]:
    e = place.equation
    if e.name in COMPARISONS:
        yield from _comparisons(place)
    if e.name == "select_n" and place.floating(e.outputs[0]) and len(e.inputs) == 3:
        yield from _choices(place)
        yield from _later(place)


def _comparisons(place):
    """≥ for >, and a threshold of integers that is off by one."""
    e = place.equation
    sign, other = COMPARISONS[e.name]
    says = f"with {COMPARISONS[other][0]} in place of {sign} in {line(e)}"
    yield place.mutation("mask", says, partial(_compared, name=other))
    for k, slot in enumerate(e.inputs):
        if place.integer(slot) and (c := place.number(slot)) is not None:
            for n in (int(c) - 1, int(c) + 1):
                says = f"with the number {n} in place of {int(c)} in {line(e)}"
                change = with_input(k, lambda xp, a, n=n: xp.full_like(a, n))
                yield place.mutation("mask", says, change)


def _compared(scope, values, e, v, *, name):
    a, b = v
    return [{"gt": a > b, "ge": a >= b, "lt": a < b, "le": a <= b}[name]]


def _choices(place):
    """The choice where(mask, a, b) without the mask, or with a changed one."""
    e, mask = place.equation, place.equation.inputs[0]
    shape, where = place.shape(mask), line(e)
    for k in (1, 2):
        yield place.mutation("mask", f"without the mask of {where}", partial(_case, k=k))
    changed: list[tuple[str, partial]] = [("inverted", partial(_inverted))]
    for axis, n in enumerate(shape):
        along = f"by one along axis {axis}"
        for by in (-1, 1) if n > 1 else ():
            changed.append(
                (f"shifted by {by} along axis {axis}", partial(_rolled, by=by, axis=axis))
            )
        for wider, size in SIZES if n > 2 else ():
            changed.append((f"{size} {along}", partial(_resized, wider=wider, axis=axis)))
    for wider, size in SIZES if len(shape) > 1 else ():
        changed.append((f"{size} by one on each side of its band", partial(_band, wider=wider)))
    for p, q in place.equal_axes(mask):
        changed.append((f"with axes {p} and {q} exchanged", partial(_exchanged, p=p, q=q)))
    for how, f in changed:
        yield place.mutation("mask", f"with the mask of {where} {how}", with_input(0, f))


def _case(scope, values, e, v, *, k):
    return [v[k]]


def _inverted(xp, mask):
    return ~mask


def _rolled(xp, mask, *, by, axis):
    return xp.roll(mask, by, axis)


def _exchanged(xp, mask, *, p, q):
    return xp.swapaxes(mask, p, q)


def _resized(xp, mask, *, wider, axis):
    """The entries equal to the first one grow or shrink by one along an axis."""
    first = mask.reshape(-1)[0]
    inside = mask == (first if wider else ~first)
    return mask ^ (_grown(xp, inside, axis) & ~inside)


def _band(xp, mask, *, wider):
    """A mask that depends on q - p only, for indices p, q along the last axes, as a band does."""
    *_, n, m = mask.shape
    first = mask.reshape(-1, n, m)[0]
    offsets = xp.concatenate([first[::-1, 0], first[0, 1:]])  # of q - p from 1 - n on
    offsets = _grown(xp, offsets, 0) if wider else ~_grown(xp, ~offsets, 0)
    p, q = xp.arange(n)[:, None], xp.arange(m)[None]
    return xp.broadcast_to(offsets[q - p + n - 1], mask.shape)


def _grown(xp, mask, axis):
    """The mask and its neighbours along an axis."""
    n = mask.shape[axis]
    steps = xp.arange(n).reshape([-1 if k == axis else 1 for k in range(mask.ndim)])
    after = xp.roll(mask, 1, axis) & (steps > 0)
    before = xp.roll(mask, -1, axis) & (steps < n - 1)
    return mask | after | before


def _later(place):
    """A mask of the forward pass that is applied to a later value, such as after a softmax."""
    e, program = place.equation, place.program
    if place.backward:
        return
    depends = {e.outputs[0]}
    for index in range(place.index + 1, len(program.equations)):
        q = program.equations[index]
        if place.is_cotangent(q.outputs[0]):
            return
        if q.body is not None or not depends.intersection(q.inputs):
            continue
        depends.update(q.outputs)
        if len(q.outputs) > 1 or not place.same(q.outputs[0], e.outputs[0]):
            continue
        for k in (1, 2):
            changes = {
                place.site: partial(_case, k=k),
                (*place.path, index): partial(_masked, mask=e.inputs[0], kept=k == 2),
            }
            says = f"with the mask of {line(e)} applied to {place.named(q.outputs[0])}"
            yield Mutation("mask", says, changes)


def _masked(scope, values, e, v, *, mask, kept):
    """The output where the mask is `kept`, else 0."""
    y = scope.compute(e, v)[0]
    return [scope.xp.where(scope.xp.asarray(values[mask], bool) == kept, y, 0 * y)]
