"""Training steps of several libraries, timed in turn, round after round.

A machine that slows down affects all libraries of a round alike. So compare libraries by the ratio
of their times in each round, and by the median of these ratios. Each round begins with a different
library, because a library may leave work running that disturbs the next library.
"""

from collections.abc import Callable, Mapping
from time import perf_counter

from experiments.framework import interrupt
from experiments.speed.libraries import Prepared
from fcnn.bench import Timing


def interleave(
    prepared: Mapping[str, Prepared], steps: int, *, rounds: int = 10
) -> dict[str, Timing]:
    """Seconds per training step of each library, which takes `steps` steps in every round."""
    first = {name: _seconds(each.run, 1) for name, each in prepared.items()}
    for each in prepared.values():  # an untimed call, which allocates the memory of a full call
        each.run(steps)
    timings = {name: Timing([], first=seconds) for name, seconds in first.items()}
    names = list(prepared)
    for i in range(rounds):
        turn = i % len(names)
        for name in [*names[turn:], *names[:turn]]:
            interrupt.check()
            timings[name].times.append(_seconds(prepared[name].run, steps) / steps)
    return timings


def _seconds(run: Callable[[int], float], k: int) -> float:
    start = perf_counter()
    run(k)
    return perf_counter() - start
