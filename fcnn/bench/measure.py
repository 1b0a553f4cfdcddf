"""Seconds, FLOP and bytes of an operator: forward, and backward by hand and by autodiff.

Compilation is never inside a timing. The three programs are timed in turn, round after round, so
that a machine that slows down slows them alike; quote medians, and ratios rather than seconds.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import jax

from fcnn.ops import Op


class Cost(NamedTuple):
    """What one program costs on this device."""

    what: str
    seconds: float  # median over rounds
    flop: float  # XLA's count
    saved_bytes: int  # kept from forward to backward


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


def compare(
    op: Op, args: Sequence[Any], options: Mapping[str, Any], *, rounds: int = 20
) -> list[Cost]:
    """The forward pass of `op`, then its backward by hand and by autodiff, at these arguments."""
    _, options = op.bind(*args, **options)
    fwd, bwd = (partial(rule, **options) for rule in (op.fwd_rule, op.bwd_rule))
    forward = partial(op.forward, **options)
    y, saved = jax.jit(fwd)(*args)
    _, pull = jax.vjp(forward, *args)
    todo = {
        "forward": (forward, args, ()),
        "backward by hand": (bwd, (saved, y), saved),
        "backward by autodiff": (lambda pull, dy: pull(dy), (pull, y), pull),
    }
    compiled = {what: jax.jit(f).lower(*a).compile() for what, (f, a, _) in todo.items()}
    times = seconds({what: (compiled[what], todo[what][1]) for what in todo}, rounds=rounds)
    return [
        Cost(
            what,
            median(times[what]),
            (compiled[what].cost_analysis() or {}).get("flops", 0.0),
            sum(leaf.nbytes for leaf in jax.tree.leaves(kept)),
        )
        for what, (_, _, kept) in todo.items()
    ]
