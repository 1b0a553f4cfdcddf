"""A place in a program: one equation, and what mistakes need to know about its values."""

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fcnn.checker.equation.evaluate import Change, Site
from fcnn.checker.equation.mutation import Mutation
from fcnn.checker.equation.program import Equation, Program
from fcnn.checker.equation.wording import MOVES, described, inside

ELEMENTWISE = {"add", "add_any", "sub", "mul", "div", "max", "min", "neg", "sqrt", "rsqrt"}
ELEMENTWISE |= {"exp", "log", "pow", "integer_pow", "square"}


@dataclass(frozen=True)
class Place:
    """The equation at `index` of a program.

    path:  the sites of the scans in whose bodies the program is.
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
        return self.is_cotangent(self.equation.outputs[0])

    @property
    def alike(self) -> Any:
        """What the equation has in common with its repetitions."""
        return self.ranks[self.equation.outputs[0]][0]

    def mutation(self, kind: str, says: str, change: Change, key: Any = None) -> Mutation:
        """The mistake that computes this equation by `change`."""
        return Mutation(kind, says, {self.site: change}, key=key)

    def is_cotangent(self, slot: int) -> bool:
        return slot in self.program.cotangent

    def is_literal(self, slot: int) -> bool:
        """Whether a value is one number that is written in the function."""
        return slot in self.program.known and not self.shape(slot)

    def number(self, slot: int) -> float | None:
        """The number that is written in the function and repeated over a shape, or None."""
        while (e := self.producers.get(slot)) is not None and e.name in MOVES:
            slot = e.inputs[0]
        return float(np.real(self.program.known[slot])) if self.is_literal(slot) else None

    def shape(self, slot: int) -> tuple[int, ...]:
        return tuple(getattr(self.program.avals[slot], "shape", ()))

    def floating(self, slot: int) -> bool:
        return self._kind(slot) in ("f", "c", "V")  # V: bfloat16

    def integer(self, slot: int) -> bool:
        return self._kind(slot) in ("i", "u")

    def _kind(self, slot):
        return getattr(self.program.avals[slot].dtype, "kind", "")  # a key's dtype has none

    def same(self, a: int, b: int) -> bool:
        """Whether two values have the same shape and dtype; constants have no match."""
        avals = self.program.avals
        equal = self.shape(a) == self.shape(b) and avals[a].dtype == avals[b].dtype
        return equal and a not in self.program.known

    def fits(self, slot: int, shape: tuple[int, ...]) -> bool:
        """Whether every use of a value allows another shape that broadcasts to `shape`.

        The equations that use it give `shape`, or use only numbers besides the value.
        """
        users = [q for q in self.program.equations if slot in q.inputs]
        alone = lambda q: all(other == slot or self.is_literal(other) for other in q.inputs)
        passes = lambda q: alone(q) and self.fits(q.outputs[0], shape)
        return slot not in self.program.outputs and all(
            q.name in ELEMENTWISE and (self.shape(q.outputs[0]) == shape or passes(q))
            for q in users
        )

    def equal_axes(self, slot: int) -> list[tuple[int, int]]:
        """Pairs of axes of the same length, from 2 on."""
        shape = self.shape(slot)
        pairs = itertools.combinations(range(len(shape)), 2)
        return [(p, q) for p, q in pairs if shape[p] == shape[q] > 1]

    def source(self, slot: int) -> Equation | None:
        """The equation of this value, without equations that only move it."""
        e = self.producers.get(slot)
        while e is not None and e.name in MOVES and e.inputs[0] in self.producers:
            e = self.producers[e.inputs[0]]
        return e

    def named(self, slot: int) -> str:
        """The name of an argument, or the operation and the line that compute this value."""
        return described(self.program, self.producers, self.names, slot)

    def at(self, what: str) -> str:
        """The line of this equation as the end of a clause, unless `what` has it already."""
        where = str(self.equation.line)
        return "" if self.equation.line is None or where in what else f" in {where}"


def places(program: Program, names: dict[int, str], path: Site = ()) -> Iterator[Place]:
    """All equations of the program and of the bodies of its scans, the last ones first."""
    producers, ranks = program.producers(), _ranks(program)
    for index in reversed(range(len(program.equations))):
        e = program.equations[index]
        yield Place(program, index, path, names, producers, ranks)
        if e.body is not None:
            yield from places(e.body, inside(program, producers, names, e), (*path, index))


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
