"""Mistakes of complex gradients: a conjugate too many or too few, or a complex factor.

With R(dy) for the right gradient as a function of dy, conj for the conjugate, and JAX's convention:

    G                    the mistake
    conj(R(conj(dy)))    PyTorch's convention: conj(f') dy where JAX needs f' dy
    conj(R(dy))          the result is conjugated
    R(conj(dy))          dy is conjugated
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from fcnn.checker.complex_parts import join, join_cotangent, split, split_cotangent
from fcnn.checker.diagnosis.context import Context, Hypothesis, times
from fcnn.checker.subject import Subject

UNITS = {1j: "i", -1j: "−i"}


def complex_context(c: Context, subject: Subject) -> Context:
    """The context with complex arrays for the complex leaves and outputs."""
    of_x, of_y = subject.complex_x, subject.complex_y
    each = lambda f, arrays, which: [
        f(a) if yes else a for a, yes in zip(arrays, which, strict=True)
    ]

    def reference(x, dy):
        found = c.reference(each(split, x, of_x), each(split_cotangent, dy, of_y))
        return None if found is None else each(join_cotangent, found, of_x)

    return replace(
        c,
        x=each(join, c.x, of_x),
        y=each(join, c.y, of_y),
        dy=each(join_cotangent, c.dy, of_y),
        G=join_cotangent(c.G) if of_x[c.i] else c.G,
        references=each(join_cotangent, c.references, of_x),
        reference=reference,
    )


def conjugated(c: Context) -> Iterator[Hypothesis]:
    advice = "JAX's convention is dz = f'(z) dy, without a conjugate"
    says = f"equals the conjugate of the right gradient: {advice}"
    if np.iscomplexobj(c.R):
        yield Hypothesis("conjugated", says, c.R.conj())
    if not any(map(np.iscomplexobj, c.dy)):
        return
    of_conjugate = c.for_other(dy=[dy.conj() for dy in c.dy])
    if of_conjugate is not None:
        says = f"is the gradient in PyTorch's convention, f'(z).conj() dy: {advice}"
        yield Hypothesis("conjugated", says, of_conjugate.conj())
        yield Hypothesis("conjugated", f"uses dy.conj() for dy: {advice}", of_conjugate)


def constant(c: Context) -> Iterator[Hypothesis]:
    """G = a R with a complex number a."""
    energy = float(np.vdot(c.R, c.R).real)
    a = complex(np.vdot(c.R, c.G)) / energy if energy > 0 else 0
    if a != 0:
        yield Hypothesis("constant factor", f"equals {_times(a)} × the right gradient", a * c.R)


def _times(a):
    if abs(a.imag) <= 1e-7 * abs(a):
        return times(a.real)
    near = (name for unit, name in UNITS.items() if abs(a - unit) <= 1e-7)
    return next(near, f"({a:.6g})".replace("-", "−"))
