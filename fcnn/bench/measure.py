"""Seconds, FLOP and bytes of a function: forward, and backward in each way of differentiating it.

Compilation is never inside a timing. The programs are timed in turn, round after round, so that a
machine that slows down slows them alike; quote medians, and ratios rather than seconds.
"""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import jax


class Cost(NamedTuple):
    """What one program costs on this device."""

    what: str
    seconds: float  # median over rounds
    flop: float  # XLA's count
    saved_bytes: int  # kept from forward to backward
    temporary_bytes: int  # held besides arguments and outcome while it runs


def seconds(
    programs: Mapping[str, tuple[Callable, Sequence[Any]]], *, rounds: int = 20
) -> dict[str, list[float]]:
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


def compare(ways: Mapping[str, Callable], args: Sequence[Any], *, rounds: int = 20) -> list[Cost]:
    """The forward pass of the first of `ways`, then the backward pass of each, at these arguments.

    `ways` are functions that give the same y, each with a gradient of its own.
    """
    todo: dict[str, tuple[Callable, Sequence[Any], Any]] = {}
    for name, f in ways.items():
        if not todo:
            todo["forward"] = (f, args, ())
        y, pull = jax.jit(lambda *args, f=f: jax.vjp(f, *args))(*args)
        todo[f"backward {name}"] = (lambda pull, dy: pull(dy), (pull, y), pull)
    compiled = {what: jax.jit(f).lower(*a).compile() for what, (f, a, _) in todo.items()}
    times = seconds({what: (compiled[what], todo[what][1]) for what in todo}, rounds=rounds)
    memory = {what: run.memory_analysis() for what, run in compiled.items()}
    return [
        Cost(
            what,
            median(times[what]),
            (compiled[what].cost_analysis() or {}).get("flops", 0.0),
            sum(leaf.nbytes for leaf in jax.tree.leaves(kept)),
            getattr(memory[what], "temp_size_in_bytes", 0),
        )
        for what, (_, _, kept) in todo.items()
    ]
