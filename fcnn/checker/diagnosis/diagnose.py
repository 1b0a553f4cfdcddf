"""Which one mistake turns the right gradient into the one at hand.

Each module here knows mistakes of one sort, and gives guesses: what the gradient would be by that
mistake. The first that G equals, in every entry, is named; the order is from plain to far-fetched.
"""

from collections.abc import Callable, Iterator

import numpy as np

from fcnn.checker.diagnosis import (
    changed_input,
    entries,
    factor,
    formula,
    half_precision,
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
    half_precision.halves,
    entries.slices,
    entries.gaps,
    order.gates,
    order.regrouped,
    order.shifted,
    factor.dropout_mask,
    factor.reduced_too_far,
    factor.of_an_argument,
    changed_input.each_step_alone,
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
MOST = 2048  # entries of a leaf whose right gradient is had by differences, if not by autodiff


def diagnose(e: Evidence, i: int) -> Mistake | None:
    """The mistake in the gradient of leaf i, if it is a known one."""
    s = _situation(e, i)
    if s is None:
        return None
    if s.G.shape != s.R.shape:
        return other_shape(s)
    for mistakes in MISTAKES:
        for guess in mistakes(s):
            off = s.off(guess.gradient, guess.counts)
            if off <= s.tolerance and _tells(s, guess):
                part = "every entry" if guess.counts is None else "where both are known"
                exact = "" if OTHER in guess.says else f" ({part}, to {max(off, 1e-16):.0e})"
                return Mistake(guess.kind, guess.says + exact)
    return None


def _tells(s, guess):
    """Whether the guess is another gradient than the right one."""
    off = np.abs(guess.gradient - s.R)
    return bool((off > s.tolerance * s.top).any())


def _situation(e, i):
    compiled = e.compiled
    rights, tolerance = e.right, 1e-7
    if compiled.shortest != "float64":
        tolerance = 1e-4
    if rights is None:
        if sum(x.size for x in compiled.x) > MOST:
            return None
        rights, tolerance = _by_differences(e.slopes), 1e-5
    as_float = lambda arrays: [np.asarray(a).astype(np.float64) for a in arrays]
    rights = as_float(rights)
    return Context(
        i,
        compiled.subject.names,
        as_float(compiled.x),
        as_float(compiled.y),
        as_float(e.dy),
        e.claimed[i].astype(np.float64),
        rights,
        compiled.right,
        lambda v: compiled.step(v, 0.0)[1],
        tolerance,
        largest(e.claimed[i], rights[i]),
    )


def _by_differences(slopes: Slopes):
    """R of all leaves, entry by entry."""
    compiled, rights = slopes.compiled, []
    for i, x in enumerate(compiled.x):
        R = np.zeros(x.shape)
        for j in range(x.size):
            v = [np.zeros_like(a) for a in compiled.x]
            v[i].flat[j] = 1
            R.flat[j] = slopes.close(v).slope.value
        rights.append(R)
    return rights
