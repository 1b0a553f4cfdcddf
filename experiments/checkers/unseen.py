"""Kinds of mutations that the checker does not know: they are used only to judge it.

shifted value       a cotangent, shifted by one along an axis
flipped value       a cotangent, reversed along an axis
one entry           a cotangent with one entry 3% off
lost block          a cotangent that is 0 in the first half of an axis
short value         a value rounded to bfloat16
spread sum          a cotangent that is replaced by its mean along an axis
exchanged operands  b - a for a - b, b / a for a / b
first only          the first entry in place of a sum
"""

from collections.abc import Callable, Iterator

import jax.numpy as jnp

from fcnn.checker.equation.mutation import Mutation
from fcnn.checker.equation.place import Place


def changed(kind: str, says: str, change: Callable, axes: bool = True):
    """Mutations that change the cotangents of an equation; change(xp, a, axis)."""

    def kinds(place: Place) -> Iterator[Mutation]:
        e = place.equation
        out = e.outputs[0]
        shape = place.shape(out)
        if len(e.outputs) > 1 or not place.backward or not place.floating(out) or not shape:
            return
        for axis, n in enumerate(shape) if axes else [(0, 2)]:
            if n > 1:
                yield Mutation(
                    kind,
                    f"{says} {e.name}, axis {axis}",
                    {
                        place.site: lambda scope, values, e, v, axis=axis: [
                            change(scope.xp, scope.compute(e, v)[0], axis)
                        ]
                    },
                )

    return kinds


def exchanged(place: Place) -> Iterator[Mutation]:
    e = place.equation
    shapes = {place.shape(slot) for slot in e.inputs}
    if e.name in ("sub", "div", "atan2", "pow") and len(shapes) == 1:
        yield Mutation(
            "exchanged operands",
            f"operands of {e.name}",
            {place.site: lambda scope, values, e, v: scope.compute(e, v[::-1])},
        )


def first_only(place: Place) -> Iterator[Mutation]:
    e = place.equation
    if e.name == "reduce_sum" and place.floating(e.outputs[0]):
        axes = tuple(e.params["axes"])
        yield Mutation(
            "first only",
            f"first entry of {e.name}",
            {place.site: lambda scope, values, e, v: [_first(v[0], axes)]},
        )


def _first(a, axes):
    return a[tuple(0 if k in axes else slice(None) for k in range(a.ndim))]


def _one_entry(xp, a, axis):
    at = xp.arange(a.size).reshape(a.shape) == a.size // 2
    return xp.where(at, 1.03 * a, a)


def _lost(xp, a, axis):
    n = a.shape[axis]
    return a * (xp.arange(n) >= n // 2).reshape(-1, *[1] * (a.ndim - 1 - axis))


def _short(xp, a, axis):
    return a if a.dtype.kind == "c" else a.astype(jnp.bfloat16).astype(a.dtype)


UNSEEN = {
    "shifted value": changed("shifted value", "shifted", lambda xp, a, k: xp.roll(a, 1, k)),
    "flipped value": changed("flipped value", "flipped", lambda xp, a, k: xp.flip(a, k)),
    "one entry": changed("one entry", "one entry of", _one_entry, axes=False),
    "lost block": changed("lost block", "first half of", _lost),
    "short value": changed("short value", "bfloat16", _short, axes=False),
    "spread sum": changed(
        "spread sum", "mean of", lambda xp, a, k: a * 0 + a.mean(k, keepdims=True)
    ),
    "exchanged operands": exchanged,
    "first only": first_only,
}
