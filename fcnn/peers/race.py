"""Libraries side by side: one job, in turn, round after round.

A machine that slows down slows them alike, so read ratios: of every round its own, and of these the
median. Each round begins with another library, as what one leaves running disturbs the next.
"""

from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter
from typing import NamedTuple

from fcnn.peers import Job, draw, load


class Lap(NamedTuple):
    """What one library took for a job."""

    library: str
    parameters: int
    first: float  # seconds of the first step, compilation included
    steps: list[float]  # seconds per step, one for each round

    @property
    def seconds(self) -> float:
        return median(self.steps)

    def times_faster(self, other: "Lap") -> float:
        """The median over rounds of the other's seconds over its own."""
        return median(b / a for a, b in zip(self.steps, other.steps, strict=True))


def race(job: Job, libraries: Sequence[str], *, rounds: int = 10) -> dict[str, Lap]:
    """One lap for each library, by name. A round takes as many steps as the job has batches."""
    x, y = draw(job, seed=0)
    laps, runs = {}, {}
    for name in libraries:
        prepared = load(name).prepare(job, x, y, seed=0)
        runs[name] = prepared.run
        laps[name] = Lap(name, prepared.parameters, _seconds(prepared.run, 1), [])
    for run in runs.values():  # what a first call leaves to the second
        run(job.steps)
    for i in range(rounds):
        turn = i % len(runs)
        for name in [*libraries[turn:], *libraries[:turn]]:
            laps[name].steps.append(_seconds(runs[name], job.steps) / job.steps)
    return laps


def _seconds(run: Callable[[int], float], k: int) -> float:
    start = perf_counter()
    run(k)
    return perf_counter() - start
