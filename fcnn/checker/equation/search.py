"""Search for the one step of the right backward pass that explains a wrong gradient.

Every mistake of `mistakes.py` is made at every equation of the right backward pass, one at a time,
and the resulting gradients are compared with the claimed gradients. A mistake is reported only if
its gradient equals the claimed one for two independent cotangents.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from fcnn.checker.equation.mistakes import KINDS
from fcnn.checker.equation.mutation import Mutation, Run, places
from fcnn.checker.equation.program import Program, traced, used, with_cotangents

SECONDS = 3.0  # the longest search, in CPU seconds
MOST = 20_000  # a function whose arguments have more entries is not searched


class Found(NamedTuple):
    """A mistake, and the leaves whose claimed gradients it explains."""

    mutation: Mutation
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


def search(
    program: Program,
    names: dict[int, str],
    x: Sequence[Any],
    draws: Sequence[tuple[Sequence[Any], Sequence[Any]]],
    wrong: Sequence[int],
    tolerance: float,
    seconds: float = SECONDS,
) -> list[Found]:
    """Mistakes that explain gradients; `draws` are pairs of dy and the claimed gradients G.

    The first ones explain the most leaves.
    """
    limit = time.thread_time() + seconds
    runs = [Run(program, [*x, *dy]) for dy, _ in draws]
    found: list[Found] = []
    for mutation in mutations(program, names):
        if time.thread_time() > limit:
            break
        leaves = list(wrong)
        for run, (_, G) in zip(runs, draws, strict=True):
            got = run.mutated(mutation)
            leaves = [i for i in leaves if _equal(got[i], G[i], tolerance)]
            if not leaves:
                break
        if leaves:
            found.append(Found(mutation, tuple(leaves)))
    return sorted(found, key=lambda f: -len(f.leaves))


def _equal(a, b, tolerance):
    if np.shape(a) != np.shape(b):
        return False
    off = np.abs(np.asarray(a, np.complex128) - b).max(initial=0)
    return bool(off <= tolerance * np.abs(b).max(initial=0))
