"""Options of the experiment, and its problems as parts of a run."""

import dataclasses
import os
import secrets
from dataclasses import dataclass
from typing import Annotated

from experiments.checkers.columns import Task, tasks
from experiments.checkers.correct_gradients import CORRECT_GRADIENTS
from experiments.checkers.mutants import MUTANTS
from experiments.framework.experiment import Part
from experiments.framework.options import Output, default_shown

PROBLEMS = (*MUTANTS, *CORRECT_GRADIENTS)
SMOKE = slice(0, None, 157)  # --smoke runs every 157th problem of part 1,
FEW = slice(19, None, 900)  # and every 900th task of part 2, from one that needs little time


@dataclass(frozen=True)
class Config(Output):
    jobs: Annotated[int | None, default_shown("all cores; 1 with --smoke", "INT")] = None
    """Number of parallel processes. Seconds are measured while all of them share the machine."""

    seed: int | None = None
    """Seed of part 2. By default it is drawn anew, and kept with the results."""


Prepared = list[int | Task]  # numbers of PROBLEMS, then tasks of part 2


def prepare(config: Config) -> tuple[Config, Prepared]:
    if config.jobs is None:
        jobs = 1 if config.smoke else os.cpu_count() or 1
        config = dataclasses.replace(config, jobs=jobs)
    if (config.jobs or 0) < 1:
        raise ValueError(f"--jobs {config.jobs} must be at least 1")
    if config.seed is None:  # a seed that nobody knows before the run
        seed = 0 if config.smoke else secrets.randbelow(10**6)
        config = dataclasses.replace(config, seed=seed)
    first, second = range(len(PROBLEMS)), list(tasks(config.seed or 0))
    if config.smoke:
        first, second = first[SMOKE], second[FEW]
    return config, [*first, *second]


def parts(config: Config, prepared: Prepared) -> list[Part]:
    """One part for each problem, and for each task."""
    name = lambda p: (
        f"part 1: {PROBLEMS[p].name}"
        if isinstance(p, int)
        else f"part 2: {p.column}: {p.name} {p.seed}"
    )
    return [Part(name(p), p) for p in prepared]
