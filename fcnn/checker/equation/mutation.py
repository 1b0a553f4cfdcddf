"""One mistake in a program, and the gradients that it gives."""

from collections.abc import Callable
from typing import Any, NamedTuple

from fcnn.checker.equation.evaluate import (
    BY_NUMPY,
    NONE,
    Change,
    Changes,
    Scope,
    Values,
    at,
    evaluated,
    step,
)
from fcnn.checker.equation.program import Program


class Mutation(NamedTuple):
    """One mistake: the equations at some sites are computed by changes.

    kind: the kind of the mistake, in two or three words.
    says: the mistake as a clause after "equals the right gradient".
    also: a slot whose value a change replaces for its equation and all later ones.
    key:  what equal mistakes in the repetitions of a line have in common, if not kind and `says`.
    """

    kind: str
    says: str
    changes: Changes
    also: int | None = None
    key: Any = None


def with_input(k: int, f: Callable[[Any, Any], Any]) -> Change:
    """The change that computes the equation with f(xp, input k) in place of input k."""
    return lambda scope, values, e, v: scope.compute(e, [*v[:k], f(scope.xp, v[k]), *v[k + 1 :]])


def of_output(f: Callable[[Any, Any], Any]) -> Change:
    """The change that gives f(xp, output) in place of the one output."""
    return lambda scope, values, e, v: [f(scope.xp, scope.compute(e, v)[0])]


class Run:
    """The values of a program, from which the gradients of its mutations are computed.

    A mutation leaves the values before its first equation unchanged, so they are computed once.
    """

    def __init__(self, program: Program, inputs: list[Any], scope: Scope = BY_NUMPY):
        self.program, self.scope = program, scope
        self.values = evaluated(scope, program, inputs)
        self.readers: dict[int, list[int]] = {}
        for k, equation in enumerate(program.equations):
            for slot in equation.inputs:
                self.readers.setdefault(slot, []).append(k)

    def mutated(self, mutation: Mutation) -> list[Any] | None:
        """The outputs; only the equations that depend on the mutation are computed again.

        None if a while loop depends on the mutation, because it may not end.
        """
        values: Values = dict(self.values)
        sites = {site[0] for site in mutation.changes}
        todo = set(sites)
        while todo:
            k = min(todo)
            todo.remove(k)
            if self.program.equations[k].may_not_end:
                return None
            changes = at(mutation.changes, k) if k in sites else NONE
            step(self.scope, values, self.program.equations[k], changes)
            new = [*self.program.equations[k].outputs]
            new += [mutation.also] if mutation.also is not None and () in changes else []
            todo.update(j for slot in new for j in self.readers.get(slot, ()) if j > k)
        return [values[slot] for slot in self.program.outputs]
