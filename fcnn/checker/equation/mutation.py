"""One mistake at one equation of a program, and what the mistakes of all kinds need to know."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fcnn.checker.equation.evaluate import (
    BY_NUMPY,
    NONE,
    Changes,
    Scope,
    Site,
    Values,
    at,
    evaluated,
    step,
)
from fcnn.checker.equation.program import Equation, Program
from fcnn.checker.equation.wording import MOVES, described, inside


class Mutation(NamedTuple):
    """One mistake: the equations at some sites are computed by changes.

    kind: the kind of the mistake, in two or three words.
    says: the mistake as a clause after "equals the right gradient".
    also: a slot whose value a change replaces for its equation and all later ones.
    key:  what equal mistakes in the repetitions of a line have in common, besides `says`.
    """

    kind: str
    says: str
    changes: Changes
    also: int | None = None
    key: Any = None


@dataclass(frozen=True)
class Place:
    """An equation of a program, and how to name the values around it.

    names: names of slots, such as x and dy.
    ranks: for each equation, by its first output: what it has in common with its repetitions in an
           unrolled loop, and its number among them.
    """

    program: Program
    index: int
    path: Site
    names: dict[int, str]
    producers: dict[int, Equation] = field(repr=False)
    ranks: dict[int, tuple[Any, int]] = field(repr=False)

    @property
    def equation(self) -> Equation:
        return self.program.equations[self.index]

    @property
    def site(self) -> Site:
        return (*self.path, self.index)

    @property
    def backward(self) -> bool:
        """Whether the output depends on dy."""
        return self.equation.outputs[0] in self.program.cotangent

    def is_cotangent(self, slot: int) -> bool:
        return slot in self.program.cotangent

    def is_literal(self, slot: int) -> bool:
        return slot in self.program.known and not getattr(self.program.avals[slot], "shape", ())

    def shape(self, slot: int) -> tuple[int, ...]:
        return tuple(self.program.avals[slot].shape)

    def floating(self, slot: int) -> bool:
        return self.program.avals[slot].dtype.kind in "fc"

    def source(self, slot: int) -> Equation | None:
        """The equation of this value, without equations that only move it."""
        e = self.producers.get(slot)
        while e is not None and e.name in MOVES and e.inputs[0] in self.producers:
            e = self.producers[e.inputs[0]]
        return e

    def named(self, slot: int) -> str:
        """The name of an argument, or the operation and the line that compute this value."""
        return described(self.program, self.producers, self.names, slot)


def places(program: Program, names: dict[int, str], path: Site = ()) -> Iterator[Place]:
    """All equations of the program and of the bodies of its scans, the last ones first."""
    producers, ranks = program.producers(), _ranks(program)
    for index in reversed(range(len(program.equations))):
        equation = program.equations[index]
        yield Place(program, index, path, names, producers, ranks)
        if equation.body is not None:
            yield from places(
                equation.body, inside(program, producers, names, equation), (*path, index)
            )


def _ranks(program):
    seen: Counter[Any] = Counter()
    ranks = {}
    for e in program.equations:
        out = e.outputs[0]
        shapes = tuple(program.avals[slot].shape for slot in (*e.inputs, out))
        alike = e.line, e.name, shapes, out in program.cotangent
        ranks[out] = alike, seen[alike]
        seen[alike] += 1
    return ranks


class Run:
    """The values of a program, from which the gradients of its mutations are computed.

    A mutation leaves the values before its equation unchanged, so they are computed once.
    """

    def __init__(self, program: Program, inputs: list[Any], scope: Scope = BY_NUMPY):
        self.program, self.scope = program, scope
        self.values = evaluated(scope, program, inputs)
        self.readers: dict[int, list[int]] = {}
        for k, equation in enumerate(program.equations):
            for slot in equation.inputs:
                self.readers.setdefault(slot, []).append(k)

    def mutated(self, mutation: Mutation) -> list[Any]:
        """The outputs; only the equations that depend on the mutation are computed again."""
        values: Values = dict(self.values)
        sites = {site[0] for site in mutation.changes}
        todo = set(sites)
        while todo:
            k = min(todo)
            todo.remove(k)
            changes = at(mutation.changes, k) if k in sites else NONE
            step(self.scope, values, self.program.equations[k], changes)
            new = [*self.program.equations[k].outputs]
            new += [mutation.also] if mutation.also is not None and () in changes else []
            todo.update(j for slot in new for j in self.readers.get(slot, ()) if j > k)
        return [values[slot] for slot in self.program.outputs]
