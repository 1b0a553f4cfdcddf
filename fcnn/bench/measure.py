"""Seconds, FLOP and bytes of a function: forward, and backward in each way of differentiating it.

Compilation is never inside a timing. The programs are timed in turn, round after round, so that a
machine that slows down slows them alike; quote medians, and ratios rather than seconds.
"""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

Program = tuple[Callable, Sequence[Any]]  # a function and what it is called with


class Timing(NamedTuple):
    """What one program took, round by round."""

    times: list[float]  # seconds
    temporary_bytes: int  # held besides arguments and outcome while it runs

    def times_faster(self, other: "Timing") -> float:
        """The median over rounds of the other's seconds over its own."""
        return median(b / a for a, b in zip(self.times, other.times, strict=True))


class Cost(NamedTuple):
    """What one program costs on this device."""

    what: str
    seconds: float  # median over rounds
    flop: float  # XLA's count
    saved_bytes: int  # kept from forward to backward
    temporary_bytes: int  # held besides arguments and outcome while it runs


def seconds(programs: Mapping[str, Program], *, rounds: int = 20) -> dict[str, list[float]]:
    """Wall seconds of each compiled program on its arguments, `rounds` times, interleaved.

    One round more goes first, to warm up.
    """
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds + 1):
        for name, (run, args) in programs.items():
            start = perf_counter()
            jax.block_until_ready(run(*args))
            times[name].append(perf_counter() - start)
    return {name: each[1:] for name, each in times.items()}


def timed(programs: Mapping[str, Program], *, rounds: int = 20) -> dict[str, Timing]:
    """Each program compiled, and then all of them timed in turn."""
    compiled = {name: jax.jit(f).lower(*args).compile() for name, (f, args) in programs.items()}
    ready = {name: (compiled[name], args) for name, (_, args) in programs.items()}
    times = seconds(ready, rounds=rounds)
    return {name: Timing(times[name], _temporary(compiled[name])) for name in programs}


def backward(f: Callable, args: Sequence[Any]) -> Program:
    """The backward pass of f alone, from what its forward pass saved.

    The cotangent is y in reverse: along y itself, nothing comes back through a normalization.
    """
    y, pull = jax.jit(lambda *args: jax.vjp(f, *args))(*args)
    return (lambda pull, dy: pull(dy)), (pull, jax.tree.map(jnp.flip, y))


def compare(ways: Mapping[str, Callable], args: Sequence[Any], *, rounds: int = 20) -> list[Cost]:
    """The forward pass of the first of `ways`, then the backward pass of each, at these arguments.

    `ways` are functions that give the same y, each with a gradient of its own.
    """
    todo: dict[str, Program] = {"forward": (next(iter(ways.values())), args)}
    todo |= {f"backward {name}": backward(f, args) for name, f in ways.items()}
    compiled = {what: jax.jit(f).lower(*a).compile() for what, (f, a) in todo.items()}
    times = seconds({what: (compiled[what], todo[what][1]) for what in todo}, rounds=rounds)
    kept = {what: args[0] if what != "forward" else () for what, (_, args) in todo.items()}
    return [
        Cost(
            what,
            median(times[what]),
            (compiled[what].cost_analysis() or {}).get("flops", 0.0),
            sum(leaf.nbytes for leaf in jax.tree.leaves(kept[what])),
            _temporary(compiled[what]),
        )
        for what in todo
    ]


def _temporary(compiled):
    return getattr(compiled.memory_analysis(), "temp_size_in_bytes", 0)
