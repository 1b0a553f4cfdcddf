"""The one mistake that turns the right gradient R into the claimed gradient G.

Each module of this package covers one sort of mistake. It yields hypotheses: the gradients that
such mistakes give. The first hypothesis that equals G in every entry names the mistake. Simple
mistakes are tried first.
"""

from collections.abc import Callable, Iterator

import numpy as np

from fcnn.checker.diagnosis import (
    changed_input,
    conjugate,
    entries,
    factor,
    formula,
    gated_halves,
    order,
    terms,
)
from fcnn.checker.diagnosis.context import Context, Hypothesis, Mistake
from fcnn.checker.diagnosis.entries import OTHER
from fcnn.checker.diagnosis.shape import other_shape
from fcnn.checker.evidence import Evidence, largest
from fcnn.checker.finite_differences import Slopes

MISTAKES: tuple[Callable[[Context], Iterator[Hypothesis]], ...] = (
    factor.stopped,
    entries.single,
    entries.ties,
    factor.constant,
    entries.below_zero,
    order.exchanged_arguments,
    order.transposed,
    order.flipped,
    gated_halves.halves,
    entries.slices,
    entries.gaps,
    order.gates,
    order.regrouped,
    order.shifted,
    factor.dropout_mask,
    factor.reduced_too_far,
    factor.of_an_argument,
    changed_input.without_recurrence,
    changed_input.outputs,
    terms.terms,
    terms.rows,
    formula.elementwise,
    formula.differences,
    formula.labels,
    formula.without_dy,
    factor.by_axis,
    changed_input.other_arguments,
    formula.adjoint,
    changed_input.cotangent,
    changed_input.parts_of_the_cotangent,
    changed_input.parts_of_time,
    changed_input.own_argument,
    entries.any_slices,
)
# For a function with complex arguments or outputs, where the other modules assume real arrays.
OF_COMPLEX: tuple[Callable[[Context], Iterator[Hypothesis]], ...] = (
    factor.stopped,
    conjugate.conjugated,
    conjugate.constant,
    order.exchanged_arguments,
    order.transposed,
    order.flipped,
    factor.reduced_too_far,
    factor.of_an_argument,
    changed_input.outputs,
)
MOST = 2048  # largest number of entries for which R is computed by finite differences


def diagnose(e: Evidence, i: int) -> Mistake | None:
    """The mistake in the gradient of leaf i, or None if no known mistake explains it."""
    c = _context(e, i)
    if c is None:
        return None
    subject = e.compiled.subject
    is_complex = any([*subject.complex_x, *subject.complex_y])
    if is_complex:
        c = conjugate.complex_context(c, subject)
    if c.G.shape != c.R.shape:
        return other_shape(c)
    for mistakes in OF_COMPLEX if is_complex else MISTAKES:
        for hypothesis in mistakes(c):
            error = c.distance(hypothesis.gradient, hypothesis.known)
            if error <= c.tolerance and _differs(c, hypothesis):
                part = "every entry" if hypothesis.known is None else "every determined entry"
                exact = "" if OTHER in hypothesis.says else f" ({part}, to {max(error, 1e-16):.0e})"
                return Mistake(hypothesis.kind, hypothesis.says + exact)
    return None


def _differs(c, hypothesis):
    """Whether the gradient of the hypothesis differs from R."""
    off = np.abs(hypothesis.gradient - c.R)
    return bool((off > c.tolerance * c.top).any())


def _context(e, i):
    compiled = e.compiled
    references, tolerance = e.reference, 1e-7
    if compiled.shortest != "float64":
        tolerance = 1e-4
    if references is None:
        entries = sum(x.size for x in compiled.x)
        if entries > MOST or not e.affordable(-(-30 * entries // len(compiled.x))):
            return None
        references, tolerance = _by_differences(e.slopes), 1e-5
    as_float = lambda arrays: [np.asarray(a).astype(np.float64) for a in arrays]
    references = as_float(references)
    return Context(
        i,
        compiled.subject.names,
        as_float(compiled.x),
        as_float(compiled.y),
        as_float(e.dy),
        e.claimed[i].astype(np.float64),
        references,
        compiled.reference,
        lambda v: compiled.step(v, 0.0)[1],
        tolerance,
        largest(e.claimed[i], references[i]),
    )


def _by_differences(slopes: Slopes):
    """R of all leaves by finite differences, entry by entry."""
    compiled, references = slopes.compiled, []
    for i, x in enumerate(compiled.x):
        R = np.zeros(x.shape)
        for j in range(x.size):
            v = [np.zeros_like(a) for a in compiled.x]
            v[i].flat[j] = 1
            R.flat[j] = slopes.close(v).slope.value
        references.append(R)
    return references
