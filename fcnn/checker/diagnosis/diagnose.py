"""The one mistake that turns the right gradient R into the claimed gradient G.

Each module of this package covers one sort of mistake. It yields hypotheses: the gradients that
such mistakes give. The first hypothesis that equals G in every entry, for two independent
cotangents, names the mistake. Simple mistakes are tried first. If no hypothesis fits, the mistake
is searched in the equations of the right and of the claimed backward pass (`checker/equation`). If
that finds nothing either, the wrong entries are described.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

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
from fcnn.checker.diagnosis.context import WHERE, Context, Hypothesis, Mistake
from fcnn.checker.diagnosis.shape import other_shape
from fcnn.checker.equation.search import Draw, Found, explanations, repairs
from fcnn.checker.evidence import (
    Evidence,
    cotangent,
    does_not_depend_on_dy,
    evidence_at,
    largest,
    not_linear,
)
from fcnn.checker.finite_differences import Slopes

Mistakes = Callable[[Context], Iterator[Hypothesis]]
MISTAKES: tuple[Mistakes, ...] = (
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
    factor.by_axis,
    changed_input.other_arguments,
    formula.adjoint,
    changed_input.cotangent,
    changed_input.parts_of_the_cotangent,
    changed_input.parts_of_time,
    changed_input.own_argument,
)
# Their values are fitted to G, so that a step of the equation is a better explanation.
FITTED = (terms.terms, terms.rows, factor.by_axis)
PLACES = (entries.single, entries.any_slices)
# For a function with complex arguments or outputs, where the other modules assume real arrays.
OF_COMPLEX: tuple[Mistakes, ...] = (
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
SEARCHED = 20_000  # largest number of entries for which the equation is searched


class Diagnosis:
    """The mistakes in the gradients of the leaves of one function."""

    def __init__(self, e: Evidence, seed: int):
        self.e, self.seed = e, seed

    def of(self, i: int) -> Mistake | None:
        """The mistake in the gradient of leaf i, or None if the leaf has no reference."""
        c = _context(self.e, i)
        if c is None:
            return None
        if c.G.shape != c.R.shape:
            return other_shape(c)
        if np.iscomplexobj(c.G) or any(map(np.iscomplexobj, c.dy)):
            return self._known(c, OF_COMPLEX) or self._in_the_equation(i) or entries.described(c)
        if does_not_depend_on_dy(self.e, i):
            return (
                self._known(c, (formula.without_dy,))
                or self._in_the_equation(i)
                or Mistake("missing factor", "does not depend on dy", exact=False)
            )
        known = self._known(c, MISTAKES)
        if known is not None and (known.fitted or (known.kind in WHERE and not known.exact)):
            step = self._in_the_equation(i)
            keep = known.fitted and step is not None and step.kind.startswith("missing")
            known = known if step is None or keep else step
        return (
            known
            or self._not_linear(c)
            or self._in_the_equation(i)
            or self._known(c, (entries.any_slices,))
            or entries.described(c)
        )

    def _known(self, c: Context, families: Sequence[Mistakes]) -> Mistake | None:
        for mistakes in families:
            for h in mistakes(c):
                error = c.distance(h.gradient, h.known)
                if error > c.tolerance or not _differs(c, h) or not self._again(mistakes, c, h):
                    continue
                part = "every entry" if h.known is None else "every determined entry"
                precision = f" ({part}, to {max(error, 1e-16):.0e})" if h.exact else ""
                return Mistake(h.kind, h.says + precision, h.exact, mistakes in FITTED)
        return None

    def _again(self, mistakes: Mistakes, first: Context, found: Hypothesis) -> bool:
        """Whether the same sentence is true for another cotangent; places may depend on it."""
        if self.e.reference is None or mistakes in PLACES:
            return True
        c = _context(self._second, first.i)
        return c is not None and any(
            h.says == found.says and c.distance(h.gradient, h.known) <= c.tolerance
            for h in mistakes(c)
        )

    @cached_property
    def _second(self) -> Evidence:
        """The evidence at another cotangent."""
        e = self.e
        return evidence_at(
            e.compiled, cotangent(e.compiled, self.seed + 1, e.caller_dtype), e.caller_dtype
        )

    def _not_linear(self, c: Context) -> Mistake | None:
        says = not_linear(self.e, c.i, c.tolerance * c.top)
        return Mistake("not linear", says, exact=False) if says else None

    def _in_the_equation(self, i: int) -> Mistake | None:
        explains = lambda found: i in found.leaves
        found = next(filter(explains, self._steps), None)
        found = found or next(filter(explains, self._repairs), None)
        return None if found is None else Mistake(found.kind, f"{found.says} (every entry)")

    @cached_property
    def _steps(self) -> list[Found]:
        """Mistakes in one step of the right backward pass; none if JAX cannot trace it."""
        return self._searched(explanations, self.e.compiled.subject.plain)

    @cached_property
    def _repairs(self) -> list[Found]:
        """Changes of one step of the claimed backward pass; none if JAX cannot trace it."""
        return self._searched(repairs, self.e.compiled.subject.traceable)

    def _searched(self, search, f) -> list[Found]:
        e, compiled = self.e, self.e.compiled
        if e.reference is None or sum(a.size for a in compiled.x) > SEARCHED:
            return []
        pairs = enumerate(zip(e.claimed, e.reference, strict=True))
        wrong = [i for i, (G, R) in pairs if _is_wrong(G, R, _tolerance(compiled))]
        draws = [Draw(a.dy, a.claimed, a.reference or ()) for a in (e, self._second)]
        names = compiled.subject.names
        return search(f, names, compiled.x, draws, wrong, _tolerance(compiled))


def _differs(c, hypothesis):
    """Whether the gradient of the hypothesis differs from R."""
    off = np.abs(hypothesis.gradient - c.R)
    return bool((off > c.tolerance * c.top).any())


def _is_wrong(G, R, tolerance):
    """Whether G has the shape of R and differs from it."""
    same = G.shape == R.shape and np.issubdtype(G.dtype, np.floating)
    return same and largest(G - R) > tolerance * largest(G, R)


def _tolerance(compiled):
    return 1e-7 if compiled.shortest == "float64" else 1e-4


def _context(e, i):
    compiled = e.compiled
    references, tolerance = e.reference, _tolerance(compiled)
    if references is None:
        entries = sum(x.size for x in compiled.x)
        if entries > MOST or not e.affordable(-(-30 * entries // len(compiled.x))):
            return None
        references, tolerance = _by_differences(e.slopes), 1e-5
    as_float = lambda arrays: [np.asarray(a).astype(np.float64) for a in arrays]
    references = as_float(references)
    c = Context(
        i,
        compiled.subject.names,
        as_float(compiled.x),
        as_float(compiled.y),
        as_float(e.dy),
        e.claimed[i].astype(np.float64),
        references,
        compiled.reference,
        lambda v: compiled.step(v, 0.0)[1],
        lambda x: e.compiled.claimed_at(x, e.dy),
        tolerance,
        largest(e.claimed[i], references[i]),
        compiled.may_not_end,
    )
    subject = compiled.subject
    is_complex = any([*subject.complex_x, *subject.complex_y])
    return conjugate.complex_context(c, subject) if is_complex else c


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
