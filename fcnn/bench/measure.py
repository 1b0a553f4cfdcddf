"""Seconds, FLOP and bytes of functions and of their backward passes.

Compilation is never inside a timing. Programs are timed in turn, round after round, so that all of
them are affected equally if the machine slows down. Quote medians, and ratios rather than seconds.
"""

from collections.abc import Callable, Mapping, Sequence
from math import nan
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

Program = tuple[Callable, Sequence[Any]]  # a function and its arguments


class Timing(NamedTuple):
    """Seconds of one program, one entry per round."""

    times: list[float]
    temporary_bytes: int = 0  # allocated while it runs, besides arguments and outputs; 0: unknown
    first: float = nan  # seconds of the first call, compilation included; NaN: not measured

    @property
    def seconds(self) -> float:
        return median(self.times)


class Cost(NamedTuple):
    """Cost of one program on this device."""

    what: str
    seconds: float  # median over rounds
    flop: float  # XLA's count
    saved_bytes: int  # residuals that the forward pass keeps for the backward pass
    temporary_bytes: int  # allocated while it runs, besides arguments and outputs


def seconds(programs: Mapping[str, Program], *, rounds: int = 20) -> dict[str, list[float]]:
    """Wall seconds of each compiled program, one entry per round, measured in turn.

    Options:
        rounds: how often each program is timed, after one round to warm up.
    Cost:   rounds + 1 calls of every program.

    >>> from fcnn import bench
    >>> double = jax.jit(lambda x: 2 * x)
    >>> times = bench.seconds({"double": (double, (jnp.ones(3),))}, rounds=5)
    >>> len(times["double"])
    5
    """
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds + 1):
        for name, (run, args) in programs.items():
            start = perf_counter()
            jax.block_until_ready(run(*args))
            times[name].append(perf_counter() - start)
    return {name: each[1:] for name, each in times.items()}


def timed(programs: Mapping[str, Program], *, rounds: int = 20) -> dict[str, Timing]:
    """Timing of each program: all programs are compiled first, then timed in turn.

    Options:
        rounds: how often each program is timed.
    Raises: TypeError if a program cannot be traced by `jax.jit`.
    Cost:   one compilation and rounds + 1 calls of every program.

    >>> from fcnn import bench
    >>> timing = bench.timed({"square": (lambda x: x @ x, (jnp.ones((8, 8)),))}, rounds=3)
    >>> len(timing["square"].times)
    3
    """
    compiled = {name: jax.jit(f).lower(*args).compile() for name, (f, args) in programs.items()}
    ready = {name: (compiled[name], args) for name, (_, args) in programs.items()}
    times = seconds(ready, rounds=rounds)
    return {name: Timing(times[name], _temporary(compiled[name])) for name in programs}


def times_faster(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Speedup: the median over rounds of theirs / ours, both in seconds.

    Raises: ValueError if `ours` and `theirs` have different numbers of rounds.
    Cost:   one division per round.

    >>> from fcnn import bench
    >>> bench.times_faster([1.0, 2.0, 4.0], [3.0, 4.0, 8.0])
    2.0
    """
    return median(b / a for a, b in zip(ours, theirs, strict=True))


def backward(f: Callable, args: Sequence[Any]) -> Program:
    """The backward pass of f, without the forward pass: a function of residuals and a cotangent.

    The cotangent dy is y in reverse order. With dy = y, a normalization would have gradient zero.

    Raises: TypeError if f has no reverse-mode gradient.
    Cost:   one forward pass.

    >>> from fcnn import bench
    >>> run, (residuals, dy) = bench.backward(lambda x: x**2, (jnp.array([1.0, 3.0]),))
    >>> run(residuals, dy)  # 2 x dy, dy = y in reverse order
    (Array([18.,  6.], dtype=float32),)
    """
    y, pull = jax.jit(lambda *args: jax.vjp(f, *args))(*args)
    return (lambda pull, dy: pull(dy)), (pull, jax.tree.map(jnp.flip, y))


def compare(ways: Mapping[str, Callable], args: Sequence[Any], *, rounds: int = 20) -> list[Cost]:
    """Cost of the forward pass of the first of `ways`, then of the backward pass of each way.

    `ways` are functions with the same output y and different backward passes.

    Options:
        rounds: how often each program is timed.
    Raises: TypeError if one of `ways` has no reverse-mode gradient.
    Cost:   one compilation and rounds + 1 calls of every program.

    >>> from fcnn import bench
    >>> ways = {"by hand": fcnn.relu, "by autodiff": fcnn.relu.forward}
    >>> [cost.what for cost in bench.compare(ways, (jnp.ones(3),), rounds=1)]
    ['forward', 'backward by hand', 'backward by autodiff']
    """
    todo: dict[str, Program] = {"forward": (next(iter(ways.values())), args)}
    todo |= {f"backward {name}": backward(f, args) for name, f in ways.items()}
    compiled = {what: jax.jit(f).lower(*a).compile() for what, (f, a) in todo.items()}
    times = seconds({what: (compiled[what], todo[what][1]) for what in todo}, rounds=rounds)
    saved = {what: args[0] if what != "forward" else () for what, (_, args) in todo.items()}
    return [
        Cost(
            what,
            median(times[what]),
            (compiled[what].cost_analysis() or {}).get("flops", 0.0),
            sum(leaf.nbytes for leaf in jax.tree.leaves(saved[what])),
            _temporary(compiled[what]),
        )
        for what in todo
    ]


def _temporary(compiled):
    return getattr(compiled.memory_analysis(), "temp_size_in_bytes", 0)
