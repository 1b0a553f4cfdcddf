"""The ratio of the times of two programs, with an interval that tells a difference from noise.

Both programs run in every round, in turn, and a round gives one ratio. So both are affected if the
machine slows down. The estimate is the median of the ratios. Its 95 % interval lies between two of
the sorted ratios, whatever their distribution is. A low ratio may be low by chance, because it is
the lowest of many. So it is measured again, with four times as many rounds, and only the second
measurement counts.
"""

import math
from collections.abc import Sequence
from statistics import median
from time import perf_counter, process_time
from typing import NamedTuple

import jax

from experiments.framework import interrupt
from fcnn.bench import Program

SLOWER = 1 / 1.10  # fcnn is slower than lax if the whole interval of the speedup is below this
CLEAR = 3.0  # a speedup of more than this in each of the first FEW rounds needs no more rounds
FEW = 3
SHORTEST = 2e-3  # seconds: shorter programs are called several times in a round


class Speedup(NamedTuple):
    """How many times faster fcnn is than lax, from paired rounds."""

    times: float  # by wall time: the median over rounds
    low: float  # the 95 % interval of that median
    high: float
    cpu: float  # by CPU time of all threads: the median over rounds
    seconds: tuple[float, float]  # shortest wall time of a call, of fcnn and of lax
    rounds: int


def speedup(ours: Program, theirs: Program, rounds: int) -> Speedup:
    """Compile and time both programs; time them again, longer, if ours seems slower."""
    programs = [(jax.jit(f).lower(*args).compile(), args) for f, args in (ours, theirs)]
    found = _measured(programs, rounds)
    return _measured(programs, 4 * rounds) if found.times < SLOWER else found


def interval(ratios: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the median: the k-th smallest and the k-th largest of n ratios.

    k is the largest number for which chance puts fewer than k of n values on one side of the median
    with probability 2.5 % at most. With fewer than 6 ratios, the interval is their range.
    """
    n, below, k = len(ratios), 0.0, 0
    while below + math.comb(n, k) / 2**n <= 0.025:
        below += math.comb(n, k) / 2**n
        k += 1
    ordered = sorted(ratios)
    at = max(k - 1, 0)
    return ordered[at], ordered[n - 1 - at]


def _measured(programs, rounds):
    calls = _calls(programs)
    wall: list[list[float]] = [[], []]
    cpu: list[list[float]] = [[], []]
    for i in range(rounds):
        interrupt.check()
        for j in (0, 1) if i % 2 else (1, 0):
            run, args = programs[j]
            began, began_cpu = perf_counter(), process_time()
            for _ in range(calls):
                jax.block_until_ready(run(*args))
            wall[j].append((perf_counter() - began) / calls)
            cpu[j].append((process_time() - began_cpu) / calls)
        if i + 1 == FEW and all(b > CLEAR * a for a, b in zip(*wall, strict=True)):
            break
    ratios = [b / a for a, b in zip(*wall, strict=True)]
    by_cpu = [b / a if a else 1.0 for a, b in zip(*cpu, strict=True)]
    return Speedup(
        median(ratios),
        *interval(ratios),
        median(by_cpu),
        (min(wall[0]), min(wall[1])),
        len(ratios),
    )


def _calls(programs):
    """Calls per round, so that the faster program runs for `SHORTEST`; also warms up."""
    fastest = math.inf
    for run, args in programs:
        jax.block_until_ready(run(*args))
        began = perf_counter()
        jax.block_until_ready(run(*args))
        fastest = min(fastest, perf_counter() - began)
    return max(1, math.ceil(SHORTEST / fastest))
