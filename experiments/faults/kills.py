"""Runs that are killed by SIGKILL several times, at different moments, until they end.

After each kill the same command is started again. A kill counts where it struck (`struck.py`). One
that missed its moment is repeated, up to a limit.
"""

import shutil
import time
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from experiments.faults.child import Child
from experiments.faults.outcome import differences, halves
from experiments.faults.struck import (
    CLASSES,
    DELETING,
    END,
    FIRST,
    MIDDLE,
    SAVING,
    listing,
    printed,
    reached,
    resumed,
    struck,
)
from experiments.faults.task import STEPS, Task

LIMIT = 30  # kills for the five moments, and runs
SKIPPED = (
    2  # largest number of moments of a kind that pass before the kill; with --smoke 0, so that
)
# all five moments fit into one run


def kills(
    task: Task, reference: Mapping[str, Any], number: int, seed: int, skipped: int
) -> dict[str, Any]:
    """Kills at all five moments, after at most `skipped` of each, with what each led to."""
    rng = np.random.default_rng((seed, number))
    todo = [FIRST, *map(str, rng.permutation([name for name in CLASSES if name != FIRST]))]
    tries: list[dict[str, Any]] = []
    runs = 0
    while todo and len(tries) < LIMIT and runs < LIMIT:
        run = task.folder / f"kills-{number}-{runs}"
        tries += _killed(task, reference, run, todo, LIMIT - len(tries), skipped, rng)
        shutil.rmtree(run)
        runs += 1
    return {"tries": tries, "runs": runs, "missed": todo}


def _killed(task, reference, run, todo, limit, skipped, rng) -> list[dict[str, Any]]:
    """The kills of one run, which is then at its end; moments that were struck leave `todo`.

    Raises: RuntimeError if the command ends by itself otherwise than with 0.
    """
    tries: list[dict[str, Any]] = []
    folder = run / "checkpoints"
    while True:
        possible = [each for each in todo if (each == FIRST) == (not listing(folder))]
        possible = possible or [each for each in todo if each != FIRST]
        meant = possible[0] if possible and len(tries) < limit else None
        child = task.start(run, cache=f"{run.name}-cache")
        if meant:
            strike(child, meant, folder, reference["seconds"], rng, skipped)
        code = child.end()
        if (code > 0 and not tries) or (code < 0 and not meant):
            raise RuntimeError(f"{run.name} ended with {code} by itself: {child.errors[-1:]}")
        if tries:
            tries[-1]["resumed"] = resumed(child.lines)
        if code >= 0:
            different = differences(run, reference) if code == 0 else [f"exit code {code}"]
            return [{**each, "different": different, "errors": child.errors} for each in tries]
        names = listing(folder)
        where = struck(child.lines, names, STEPS)
        broken = halves(run)
        at = reached(child.lines, names)
        tries.append({"meant": meant, "struck": where, "at": at, "broken": broken})
        if where in todo:
            todo.remove(where)


def strike(
    child: Child, meant: str, folder, seconds: Mapping[str, float], rng, skipped: int = SKIPPED
) -> None:
    """Kill a child at a moment, with a delay that is drawn within the moment's duration.

    It may end before. The number of moments that pass is drawn up to `skipped`.
    """
    skipped = rng.integers(skipped + 1)
    words = {FIRST: "compiling", DELETING: "deleting step "}.get(meant, "saving step ")

    def wanted(line: str) -> bool:
        nonlocal skipped
        if not line.startswith(words):
            return False
        if meant in (MIDDLE, END) and (printed([line]) % STEPS == 0) != (meant == END):
            return False
        skipped -= meant != FIRST
        return meant == FIRST or skipped < 0

    if not child.until(wanted):
        return
    if meant in (MIDDLE, END):
        saved = folder / f"{printed(child.lines)}"
        while not saved.exists() and child.process.poll() is None:
            time.sleep(0.002)
    if meant != DELETING:
        time.sleep(rng.uniform(0, seconds[meant]))
    child.kill()


def durations(child: Child) -> dict[str, float]:
    """Seconds of each moment, by the times of the lines of a whole run."""
    at = list(zip(child.lines, child.times, strict=True))
    spans = lambda first, then: [
        end - begin
        for (line, begin), (after, end) in pairwise(at)
        if line.startswith(first) and after.startswith(then)
    ]
    chunk = float(np.median(spans("deleting step", "step ")))
    return {
        FIRST: max(0.0, spans("compiling", "step ")[0] - chunk),
        SAVING: float(np.median(spans("saving step", "deleting"))),
        MIDDLE: chunk,
        END: chunk,
    }
