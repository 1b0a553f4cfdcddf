"""The mutation engine: wrong gradients of any function, whose truth is known.

The right backward pass of a function is traced to a program (`fcnn/checker/equation`), and one
mutation is made in one of its equations. A mutant counts only if a gradient differs from the right
one by more than DIFFERS of its largest entry, in float64. This is decided without the checker.
"""

import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.functions.function import Function
from fcnn.checker.compiled import exactly
from fcnn.checker.equation.evaluate import BY_JAX, NONE, evaluated
from fcnn.checker.equation.mutation import Mutation, Run
from fcnn.checker.equation.program import Program
from fcnn.checker.equation.search import backward_program, mutations, names_of

DIFFERS = 1e-6  # smallest difference of a mutant, relative to the largest entry of a leaf
EQUAL = 1e-9  # mutants that agree to this are one mutant


@dataclass
class Traced:
    """The right backward pass of a function at drawn arguments."""

    function: Function
    args: tuple[Any, ...]
    tree: Any = field(init=False)
    leaves: list[Any] = field(init=False)
    floating: list[int] = field(init=False)
    program: Program = field(init=False)
    dy: list[np.ndarray] = field(init=False)

    def __post_init__(self):
        self.leaves, self.tree = jax.tree.flatten(self.args)
        self.floating = [k for k, a in enumerate(self.leaves) if _is_float(a)]
        rng = np.random.default_rng(zlib.crc32(self.function.name.encode()))
        y = jax.eval_shape(self.plain, self.x)
        self.dy = [rng.standard_normal(a.shape).astype(a.dtype) for a in y]
        self.program = backward_program(self.plain, self.x, self.dy)

    @property
    def x(self) -> list[Any]:
        return [self.leaves[k] for k in self.floating]

    def plain(self, x: Sequence[Any]) -> list[Any]:
        """The floating outputs of the function of its floating leaves."""
        y = self.function.f(*self._filled(self.leaves, x))
        return [a for a in jax.tree.leaves(y) if _is_float(a)]

    def _filled(self, leaves: Sequence[Any], x: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments with x as their floating leaves, and `leaves` as the others."""
        full = list(leaves)
        for k, a in zip(self.floating, x, strict=True):
            full[k] = a
        return jax.tree.unflatten(self.tree, full)

    def backward(self, mutation: Mutation | None) -> Callable[..., tuple[Any, ...]]:
        """The right backward pass, or a mutant of it, as backward(*args, dy)."""

        def backward(*given):
            *args, dy = given
            leaves = jax.tree.leaves(tuple(args))
            x = [jnp.asarray(leaves[k]) for k in self.floating]
            dys = [jnp.asarray(d) for d in jax.tree.leaves(dy)]
            changes = mutation.changes if mutation else NONE
            values = evaluated(BY_JAX, self.program, [*x, *dys], changes)
            found = [values[slot] for slot in self.program.outputs[: len(x)]]
            return self._filled([None] * len(leaves), found)

        return backward


@dataclass(frozen=True)
class Mutant:
    """A wrong gradient; `differing` are the masks of its wrong entries, by leaf."""

    name: str
    kind: str
    forward: Callable[..., Any]
    args: tuple[Any, ...]
    backward: Callable[..., tuple[Any, ...]]
    differing: list[np.ndarray]


def right(function: Function, seed: int) -> Mutant:
    """The right gradient of a function, by the same program."""
    traced = _traced(function, seed)
    return _mutant(traced, seed, "right", None, [np.zeros(a.shape, bool) for a in traced.x])


def mutants(
    function: Function,
    seed: int,
    kinds: Mapping[str, Callable],
    most: int,
    counted: Counter,
) -> list[Mutant]:
    """Up to `most` mutants, each of another kind.

    `counted` counts mutants that are made, that equal the right gradient, and that repeat another.
    """
    with exactly():
        traced = _traced(function, seed)
        names = names_of(traced.program, [f"x{k}" for k in range(len(traced.x))], len(traced.dy))
        return list(_mutants(traced, names, seed, kinds, most, counted))


def _mutants(traced, names, seed, kinds, most, counted):
    run = Run(traced.program, [*traced.x, *traced.dy])
    n = len(traced.x)
    right = [run.values[slot] for slot in traced.program.outputs[:n]]
    rng = np.random.default_rng((seed, zlib.crc32(traced.function.name.encode())))
    made: dict[str, list[Mutation]] = defaultdict(list)
    for mutation in mutations(traced.program, names, kinds):
        made[mutation.kind].append(mutation)
    seen: list[list[np.ndarray]] = [right]
    kinds_in_order = list(made)
    for kind in (kinds_in_order[k] for k in rng.permutation(len(made))):
        for k in rng.permutation(len(made[kind])) if most else ():
            counted["made"] += 1
            if (outputs := run.mutated(made[kind][k])) is None:
                counted["in a while loop"] += 1
                continue
            found = [np.asarray(a) for a in outputs[:n]]
            if not all(np.isfinite(a).all() for a in found):
                counted["not finite"] += 1
            elif not _differ(right, found, DIFFERS):
                counted["equal to the right gradient"] += 1
            elif not all(_differ(other, found, EQUAL) for other in seen):
                counted["equal to another mutant"] += 1
            else:
                seen.append(found)
                most -= 1
                masks = [_mask(a, b) for a, b in zip(right, found, strict=True)]
                yield _mutant(traced, seed, kind, made[kind][k], masks)
                break


def _mutant(traced, seed, kind, mutation, differing):
    where = "" if mutation is None else f" at {sorted(mutation.changes)}: {mutation.says}"
    function = traced.function
    name = f"{function.name} {seed}: {kind}{where}"
    return Mutant(name, kind, function.f, traced.args, traced.backward(mutation), differing)


def _mask(right, found):
    top = max(np.abs(right).max(initial=0), np.abs(found).max(initial=0))
    return np.abs(right - found) > EQUAL * top


def _traced(function, seed):
    with jax.enable_x64(True):
        rng = np.random.default_rng((seed, zlib.crc32(function.name.encode())))
        return Traced(function, function.args(rng))


def _differ(right, found, most):
    """Whether any leaf differs by more than `most` of its largest entry."""
    return any(
        np.abs(a - b).max(initial=0)
        > most * max(np.abs(a).max(initial=0), np.abs(b).max(initial=0))
        for a, b in zip(right, found, strict=True)
    )


def _is_float(a):
    return jnp.issubdtype(jnp.result_type(a), jnp.inexact)
