"""Comparison of gradient checkers, and judgement of fcnn.check on code it was not written for.

Part 1 compares checkers on 362 mutants and 114 correct gradients that were written with fcnn.check.
The claims are:

    1. fcnn.check catches every mutant;
    2. fcnn.check names the mistake in at least 90% of the mutants;
    3. fcnn.check calls no correct gradient wrong.

Part 2 judges fcnn.check on problems that its developers did not read (`columns.py`). Its claims are
about the column "hand", and about all right gradients:

    4. it catches at least 99.5% of the wrong gradients;
    5. it names or locates at least 98%, and names at least 90% of those that must be named;
    6. at most 1% of the problems get a false sentence;
    7. it calls no right gradient wrong.

Command: python -m experiments checkers
Result:  docs/checking-gradients.md has the tables, with device and minutes.
"""

import dataclasses
import os
import secrets
import signal
from collections import Counter
from concurrent.futures import ProcessPoolExecutor as Pool
from dataclasses import dataclass, field
from multiprocessing import get_context

from rich.progress import track

from experiments.checkers.checkers import CHECKERS, Answer, run_checker
from experiments.checkers.columns import Task, judged, tasks
from experiments.checkers.correct_gradients import CORRECT_GRADIENTS
from experiments.checkers.judge import Judgement
from experiments.checkers.mutants import MUTANTS
from experiments.checkers.tables import (
    Judged,
    Table,
    by_column,
    by_kind,
    by_trap,
    rates,
    side_by_side,
    without_answer,
)
from experiments.framework import interrupt
from experiments.framework.claim import Claim
from experiments.framework.options import Output, parse, refuse
from experiments.framework.report import Findings, report
from experiments.framework.run import Run
from experiments.framework.screen import Screen
from experiments.framework.statistics import upper_bound

TITLE = "Gradient checkers, on wrong gradients and on correct ones that look wrong"
DESCRIPTION = (
    f"{TITLE}: fcnn.check compared with jax.test_util.check_grads, and with "
    "torch.autograd.gradcheck if torch is installed. Exit code: 0 if every claim holds, 1 if one "
    "fails, 2 for a usage error, 130 if interrupted."
)
NAMED = 0.9  # claim 2: the smallest share of mutants whose mistake is named
PROBLEMS = (*MUTANTS, *CORRECT_GRADIENTS)
SMOKE = 40  # --smoke runs every 40th problem of part 1,
FEW = 300  # and every 300th task of part 2


@dataclass(frozen=True)
class Config(Output):
    jobs: int = os.cpu_count() or 1
    """Number of parallel processes. Seconds are measured while all of them share the machine."""

    seed: int | None = None
    """Seed of part 2. By default it is drawn anew, and kept with the results."""


def main(arguments: list[str]) -> int:
    config = parse(Config, "checkers", arguments, DESCRIPTION)
    if config.jobs < 1:
        return refuse(f"checkers: --jobs {config.jobs} must be at least 1")
    try:
        run = Run("checkers", config.output_dir, config)
    except OSError as error:
        return refuse(f"checkers: --output-dir {config.output_dir}: {error.strerror}")
    console, stopped = Screen(), ""
    seed = config.seed if config.seed is not None else 0 if config.smoke else _drawn()
    stride = SMOKE if config.smoke else 1
    numbers = range(0, len(PROBLEMS), stride)
    all_tasks = list(tasks(seed))[:: FEW if config.smoke else 1]
    results = Results(seed)
    with Pool(config.jobs, mp_context=get_context("spawn"), initializer=ignore_interrupts) as pool:
        answers, judgements = pool.map(answers_to, numbers), pool.map(judged, all_tasks)
        try:
            for i in track(numbers, "part 1", console=console, transient=True):
                interrupt.check()
                results.add(run, Judged(PROBLEMS[i], next(answers)))
            for task in track(all_tasks, "part 2", console=console, transient=True):
                interrupt.check()
                results.add_column(run, task, *next(judgements))
        except KeyboardInterrupt:
            stopped = "Interrupted"
            pool.shutdown(wait=False, cancel_futures=True)
    if not (results.mutants and results.correct):
        console.print(
            "Interrupted before the first correct gradient was checked; there is no report."
        )
        return 130
    claims = [] if config.smoke or stopped else claims_of(results)
    write(run, results, claims, stopped)
    for table in results.tables():
        console.print(table.rich())
    for claim in claims:
        console.print(f"[bold]{claim.verdict}[/]: {claim.text} ({claim.evidence})")
    console.print(str(run.folder / "report.html"), highlight=False, soft_wrap=True)
    if run.failed:
        return refuse(f"checkers: {run.failed}")
    return 130 if stopped else 1 if any(claim.held is False for claim in claims) else 0


def _drawn() -> int:
    """A seed that nobody knows before the run."""
    return secrets.randbelow(10**6)


@dataclass
class Results:
    """Answers of all checkers to part 1, and judgements on fcnn.check in part 2."""

    seed: int
    mutants: list[Judged] = field(default_factory=list)
    correct: list[Judged] = field(default_factory=list)
    columns: dict[str, list[Judgement]] = field(default_factory=dict)
    dropped: dict[str, Counter] = field(default_factory=dict)

    def add(self, run: Run, answered: Judged) -> None:
        p = answered.problem
        answers = {k: dataclasses.asdict(a) for k, a in answered.answers.items()}
        run.metric(problem=p.name, family=p.family, kind=p.kind, answers=answers)
        (self.mutants if p in MUTANTS else self.correct).append(answered)

    def add_column(self, run: Run, task: Task, found: list[Judgement], counted: Counter) -> None:
        self.columns.setdefault(task.column, []).extend(found)
        self.dropped.setdefault(task.column, Counter()).update(counted)
        for judgement in found:
            run.metric(column=task.column, **dataclasses.asdict(judgement))

    def tables(self) -> list[Table]:
        return [
            by_column(self.columns, self.dropped),
            side_by_side(self.mutants, self.correct),
            by_kind(self.mutants),
            by_trap(self.correct),
        ]


def answers_to(i: int) -> dict[str, Answer]:
    """The answer of each checker to problem i."""
    return {name: run_checker(name, PROBLEMS[i]) for name in CHECKERS}


def ignore_interrupts() -> None:
    """Ignore Ctrl-C in a worker: the process that writes the report handles it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def claims_of(results: Results) -> list[Claim]:
    mutants, correct = results.mutants, results.correct
    caught, named = sum(m.caught for m in mutants), sum(m.named for m in mutants)
    alarms = sum(not r.answers["fcnn"].accepted for r in correct)
    n, m = len(mutants), len(correct)
    hand, right = rates(results.columns["hand"]), results.columns["right"]
    called_wrong = sum(j.caught for j in right)
    return [
        Claim("Every mutant is caught", "mutants caught", f"{caught} of {n}", caught == n),
        Claim(
            "The mistake is named in at least 90% of the mutants",
            "mutants whose mistake is named",
            f"{named} of {n}, {named / n:.1%}",
            named >= NAMED * n,
        ),
        Claim(
            "No correct gradient is called wrong", "false alarms", f"{alarms} of {m}", alarms == 0
        ),
        _at_least("At least 99.5% of the cases by hand are caught", hand["caught"], 0.995),
        _at_least("At least 98% of them are named or located", hand["named or located"], 0.98),
        _at_least("At least 90% of those that must be named are", hand["named"], 0.9),
        _at_least("At most 1% get a false sentence", hand["no false sentence"], 0.99),
        Claim(
            "No right gradient of part 2 is called wrong",
            "false alarms",
            f"{called_wrong} of {len(right)}, below {upper_bound(called_wrong, len(right)):.2%} "
            "with 95% confidence",
            called_wrong == 0,
        ),
    ]


def _at_least(text: str, counts: tuple[int, int], share: float) -> Claim:
    k, n = counts
    return Claim(text, "share", f"{k} of {n}, {k / n:.1%}", k >= share * n)


def write(run: Run, results: Results, claims, stopped: str) -> None:
    """Write results.json and report.html.

    The answers to part 2 are in metrics.jsonl alone, so that nobody has to read them for a total.
    """
    listed = lambda each: [
        {
            "name": j.problem.name,
            "family": j.problem.family,
            "kind": j.problem.kind,
            "answers": {k: dataclasses.asdict(a) for k, a in j.answers.items()},
        }
        for j in each
    ]
    run.save_json(
        "results.json",
        {
            "mutants": listed(results.mutants),
            "correct": listed(results.correct),
            "columns": {k: list(map(without_answer, v)) for k, v in results.columns.items()},
            "dropped": results.dropped,
            "seed": results.seed,
            "claims": [dataclasses.asdict(claim) for claim in claims],
            "stopped": stopped,
            "environment": run.environment,
        },
    )
    findings = Findings(
        title=TITLE,
        summary=f"{len(results.mutants)} gradients with one mistake each and "
        f"{len(results.correct)} correct ones, for all checkers; "
        f"{sum(map(len, results.columns.values()))} gradients for fcnn.check, seed {results.seed}.",
        claims=claims,
        judged="A mistake is named if fcnn.check reports its kind and no other.",
        tables=[(table.head, table.rows) for table in results.tables()],
        notes=[
            "fcnn: fcnn.check. jax: jax.test_util.check_grads of a custom_vjp function, in reverse "
            "mode. torch: torch.autograd.gradcheck, in its fast mode above 300 entries. Seconds "
            "include compilation.",
        ],
        figures=[],
        stopped=stopped,
    )
    run.save("report.html", report(run, findings))
    run.close()
