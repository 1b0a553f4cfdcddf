"""The columns of the table: sets of problems whose truth is known, wrong and right.

    tuning      mutations of the kinds that the checker searches, of the functions for tuning; here
                and in the next column, it can name them because it makes the same mutations
    functions   mutations of these kinds, of the functions for judging
    kinds       mutations of kinds that the checker does not know, of the functions for judging
    tuned hand  cases by hand that were read while the checker was developed
    hand        cases by hand, written without having read the checker
    right       right gradients: of all functions, as traced by JAX, and the right cases by hand

A task is one function or one case at one seed. Its problems are judged one after the other.
"""

import time
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

import fcnn
from experiments.checkers import by_hand, engine
from experiments.checkers.functions import FUNCTIONS, JUDGING, TUNING
from experiments.checkers.judge import Judgement, judge, masks
from experiments.checkers.unseen import UNSEEN
from fcnn.checker.equation.mistakes import KINDS

MUTANTS = 4  # of one function, each of another kind
SEEDS = 3  # arguments of each right gradient
FUNCTIONS_BY_NAME = {f.name: f for f in FUNCTIONS}
FOLDERS = {"tuned hand": "tuning", "hand": "judging"}
BY_HAND = {
    f"{folder}: {case.name}": case
    for cases_of in (by_hand.WRONG, by_hand.RIGHT)
    for folder, cases in cases_of.items()
    for case in cases
}


@dataclass(frozen=True)
class Task:
    column: str
    name: str
    seed: int


def tasks(seed: int) -> Iterator[Task]:
    """All tasks of a run."""
    for column, functions in (("tuning", TUNING), ("functions", JUDGING), ("kinds", JUDGING)):
        yield from (Task(column, f.name, seed) for f in functions)
    for column, folder in FOLDERS.items():
        yield from (Task(column, f"{folder}: {c.name}", seed) for c in by_hand.WRONG[folder])
    rights = [f.name for f in FUNCTIONS]
    rights += [f"{folder}: {c.name}" for folder, cases in by_hand.RIGHT.items() for c in cases]
    yield from (Task("right", name, seed + k) for name in rights for k in range(SEEDS))


def judged(task: Task) -> tuple[list[Judgement], Counter]:
    """The judgements of a task, and the counts of mutants that the engine made and dropped."""
    counted: Counter[str] = Counter()
    if task.column == "right":
        return [_right(task)], counted
    if task.column in FOLDERS:
        return [_by_hand(BY_HAND[task.name], task.seed)], counted
    kinds = UNSEEN if task.column == "kinds" else KINDS
    function = FUNCTIONS_BY_NAME[task.name]
    found = engine.mutants(function, task.seed, kinds, MUTANTS, counted)
    known = task.column != "kinds"
    return [
        judge(m.name, m.kind, (m.kind,), known, m.forward, m.args, m.backward, m.differing)
        for m in found
    ], counted


def _by_hand(case, seed) -> Judgement:
    args = case.args(_rng(case.name, seed))
    differing = masks(case.forward, args, case.backward)
    return judge(
        case.name,
        ", ".join(case.kinds),
        case.kinds,
        case.named,
        case.forward,
        args,
        case.backward,
        differing,
    )


def _right(task) -> Judgement:
    """A right gradient; `caught` is a false alarm."""
    if task.name in FUNCTIONS_BY_NAME:
        right = engine.right(FUNCTIONS_BY_NAME[task.name], task.seed)
        forward, args, backward = right.forward, right.args, right.backward
    else:
        case = BY_HAND[task.name]
        forward, args, backward = case.forward, case.args(_rng(case.name, task.seed)), case.backward
    start = time.perf_counter()
    try:
        report = fcnn.check(forward, args, backward=backward, cost=False)
        answer = "; ".join(f"{r.leaf}: {r.verdict}: {r.says}" for r in report.rows if not r.ok)
    except Exception as error:
        answer = f"raises {error!r:.200}"
    seconds = time.perf_counter() - start
    name = f"{task.name} {task.seed}"
    return Judgement(name, "right", bool(answer), True, False, False, False, seconds, answer)


def _rng(name: str, seed: int) -> np.random.Generator:
    return np.random.default_rng((seed, zlib.crc32(name.encode())))
