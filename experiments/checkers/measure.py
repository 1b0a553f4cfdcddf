"""Answers of checkers to all problems, by worker processes."""

import dataclasses
import os
import signal
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor as Pool
from contextlib import closing
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Any

from experiments.checkers.checkers import CHECKERS, run_checker
from experiments.checkers.columns import Task, judged
from experiments.checkers.config import PROBLEMS, Config, Prepared
from experiments.framework.experiment import Log, Part


def measure(
    config: Config, prepared: Prepared, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    """Yield the answers to each problem, and the judgements of each task."""
    with closing(_answers(config.jobs or 1, [part.payload for part in todo])) as answers:
        for part, result in zip(todo, answers, strict=True):
            for each in result.get("judgements", [result]):
                log.metric(**each)
            log.show(part.name, 1.0)
            yield part.name, result


def _answers(jobs: int, problems: Sequence[int | Task]) -> Generator[dict[str, Any], None, None]:
    """The answers in order: by this process if `jobs` is 1, otherwise by worker processes."""
    if jobs == 1:
        yield from map(answer, problems)
        return
    with Pool(jobs, mp_context=get_context("spawn"), initializer=_start_worker) as pool:
        try:
            yield from pool.map(answer, problems)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def answer(problem: int | Task) -> dict[str, Any]:
    """The answer of each checker to a problem of part 1, or the judgements of a task of part 2."""
    if isinstance(problem, int):
        p = PROBLEMS[problem]
        answers = {name: dataclasses.asdict(run_checker(name, p)) for name in CHECKERS}
        return {"problem": p.name, "family": p.family, "kind": p.kind, "answers": answers}
    found, counted = judged(problem)
    judgements = [{"column": problem.column, **dataclasses.asdict(j)} for j in found]
    return {"column": problem.column, "judgements": judgements, "dropped": dict(counted)}


def _start_worker() -> None:
    """Ignore Ctrl-C, which the main process handles, and end when the main process has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    assert parent is not None

    def end_with_parent() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
