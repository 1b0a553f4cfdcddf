"""Search for the one step of a backward pass that explains a wrong gradient.

    explanations    the right backward pass, with one mistake, gives the claimed gradient
    repairs         the claimed backward pass, with one change, gives the right gradient

Every mistake of `mistakes` is made at every equation, one at a time, and the resulting gradients
are compared. A mistake is reported only if the gradients are equal for two independent cotangents.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fcnn.checker.equation.forms import with_softmax
from fcnn.checker.equation.mistakes import KINDS, REPAIRS
from fcnn.checker.equation.mutation import Mutation, Run
from fcnn.checker.equation.place import places
from fcnn.checker.equation.products import products
from fcnn.checker.equation.program import Program, traced, used, with_cotangents

SECONDS = 5.0  # the longest search in one program, in CPU seconds
LONGEST = 0.2  # seconds of one evaluation; a program that takes longer is not searched


class Draw(NamedTuple):
    """A cotangent, and the claimed and the right gradients of all leaves."""

    dy: Sequence[Any]
    claimed: Sequence[Any]
    right: Sequence[Any]


class Found(NamedTuple):
    """A mistake by its kind and a sentence, and the leaves whose claimed gradients it explains."""

    kind: str
    says: str
    leaves: tuple[int, ...]


def backward_program(plain, x: Sequence[Any], dy: Sequence[Any]) -> Program:
    """The right backward pass of `plain` as a program of (x, dy), with the leaves' gradients."""

    def backward(x, dy):
        y, pull = jax.vjp(plain, x)
        return pull(dy)[0], y

    program = traced(backward, list(x), list(dy))
    return with_cotangents(program, program.inputs[len(x) :])


def names_of(program: Program, names: Sequence[str], outputs: int) -> dict[int, str]:
    """Names of arguments, cotangents and outputs."""
    called = lambda name: [name] if outputs == 1 else [f"{name}[{k}]" for k in range(outputs)]
    known = dict(zip(program.outputs[len(names) :], called("y"), strict=True))
    return known | dict(zip(program.inputs, [*names, *called("dy")], strict=True))


def mutations(program: Program, names: dict[int, str], kinds=KINDS) -> Iterator[Mutation]:
    """All mutations of the equations on which an output depends, kind by kind."""
    needed = used(program)
    found = [p for p in places(program, names) if needed[p.site[0]]]
    for kind in kinds.values():
        repeated: dict[Any, list[Mutation]] = {}
        for place in found:
            for mutation in kind(place):
                yield mutation
                if mutation.also is None:
                    key = mutation.key or (mutation.kind, mutation.says)
                    repeated.setdefault(key, []).append(mutation)
        yield from (_in_every_step(same) for same in repeated.values() if len(same) > 1)


def _in_every_step(same: Sequence[Mutation]) -> Mutation:
    """One mistake in a line that Python has repeated, such as the body of an unrolled loop."""
    changes = {site: change for m in same for site, change in m.changes.items()}
    return same[-1]._replace(says=f"{same[-1].says}, in every repetition", changes=changes)


def explanations(
    plain: Callable,
    leaves: Sequence[str],
    x: Sequence[Any],
    draws: Sequence[Draw],
    wrong: Sequence[int],
    tolerance: float,
) -> list[Found]:
    """Mistakes that explain the gradients of the leaves `wrong`, the best explanations first.

    leaves: names of the leaves x.
    An empty list if JAX cannot trace the backward pass, or if it takes too long.
    """
    found: list[Found] = []
    for form in (lambda: plain, lambda: with_softmax(plain, x)):
        if {i for each in found for i in each.leaves} == {*wrong}:
            break
        try:
            program = backward_program(form(), x, draws[0].dy)
        except Exception:  # tracing may raise any error
            continue
        if program.seconds > LONGEST:
            return found
        names = names_of(program, leaves, len(draws[0].dy))
        wanted = [(draw.dy, draw.claimed) for draw in draws]
        search = Search(program, names, x, wanted, wrong, tolerance)
        found += [*search.steps(), *search.products()]
    return found


def repairs(
    claimed: Callable,
    leaves: Sequence[str],
    x: Sequence[Any],
    draws: Sequence[Draw],
    wrong: Sequence[int],
    tolerance: float,
) -> list[Found]:
    """Changes of the claimed backward pass that make the gradients of the leaves `wrong` right.

    claimed: a function (x, dy) -> y, dx.
    An empty list if JAX cannot trace the claimed backward pass, if it takes too long, or if the
    traced program does not give the claimed gradients.
    """

    def backward(x, dy):
        y, dx = claimed(x, dy)
        return [jnp.zeros_like(a) if g is None else g for a, g in zip(x, dx, strict=True)], y

    try:
        program = traced(backward, list(x), list(draws[0].dy))
    except Exception:  # tracing may raise any error
        return []
    if program.seconds > LONGEST:
        return []
    program = with_cotangents(program, program.inputs[len(x) :])
    names = names_of(program, leaves, len(draws[0].dy))
    search = Search(program, names, x, [(d.dy, d.right) for d in draws], wrong, tolerance)
    if not all(search.gives(draw.claimed, k) for k, draw in enumerate(draws)):
        return []
    found = search.steps("becomes right", REPAIRS)
    return [each._replace(kind=_opposite(each.kind)) for each in found]


def _opposite(kind: str) -> str:
    """The mistake that a change of this kind mends: what it leaves out was too much."""
    first, _, rest = kind.partition(" ")
    return f"{({'missing': 'extra', 'extra': 'missing'}).get(first, first)} {rest}".strip()


class Search:
    """The search in one program.

    draws: pairs of dy and the gradients that a changed program has to give.
    """

    def __init__(
        self,
        program: Program,
        names: dict[int, str],
        x: Sequence[Any],
        draws: Sequence[tuple[Sequence[Any], Sequence[Any]]],
        wrong: Sequence[int],
        tolerance: float,
    ):
        self.program, self.names, self.draws = program, names, draws
        self.wrong, self.tolerance = wrong, tolerance
        self.runs = [Run(program, [*x, *dy]) for dy, _ in draws]

    def gives(self, gradients: Sequence[Any], k: int) -> bool:
        """Whether the program itself gives these gradients of the wrong leaves for draw k."""
        values, outputs = self.runs[k].values, self.program.outputs
        return all(self._equal(values[outputs[i]], gradients[i]) for i in self.wrong)

    def steps(self, says: str = "equals the right gradient", kinds=KINDS) -> list[Found]:
        """Changes of one step that give the gradients; the first ones give the most leaves."""
        limit = time.thread_time() + SECONDS
        found: list[Found] = []
        for mutation in mutations(self.program, self.names, kinds):
            if time.thread_time() > limit:
                break
            if leaves := self._explained(mutation):
                found.append(Found(mutation.kind, f"{says} {mutation.says}", leaves))
        return sorted(found, key=lambda f: -len(f.leaves))

    def _explained(self, mutation: Mutation) -> tuple[int, ...]:
        leaves = list(self.wrong)
        for run, (_, G) in zip(self.runs, self.draws, strict=True):
            try:
                got = run.mutated(mutation)
            except Exception:  # a later equation may reject the changed value
                return ()
            leaves = [i for i in leaves if got is not None and self._equal(got[i], G[i])]
            if not leaves:
                break
        return tuple(leaves)

    def products(self) -> list[Found]:
        """Gradients that sum dy times a wrong value."""
        place = next(places(self.program, self.names), None)
        if place is None:
            return []
        found = []
        for i in self.wrong:
            each = [
                products(run, place, dy, np.shape(G[i]))
                for run, (dy, G) in zip(self.runs, self.draws, strict=True)
            ]
            for same in zip(*each, strict=True):
                values = [value for _, value in same]
                if all(self._equal(a, G[i]) for a, (_, G) in zip(values, self.draws, strict=True)):
                    says = f"sums dy times {same[0][0]}: that value has to be another one"
                    found.append(Found("wrong value", says, (i,)))
                    break
        return found

    def _equal(self, a, b):
        if np.shape(a) != np.shape(b):
            return False
        off = np.abs(np.asarray(a, np.complex128) - b).max(initial=0)
        return bool(off <= self.tolerance * np.abs(b).max(initial=0))
