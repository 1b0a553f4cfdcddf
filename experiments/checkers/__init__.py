"""Comparison of gradient checkers on wrong gradients, and on correct gradients that look wrong.

The wrong gradients are mutants: backward passes with one deliberate mistake each. The correct
gradients mislead simpler checkers, for example by kinks, ties, large values or low-precision
dtypes. The claims are:

    1. fcnn.check catches every mutant;
    2. fcnn.check names the mistake in at least 90% of the mutants;
    3. fcnn.check calls no correct gradient wrong.

Command: python -m experiments checkers
Result:  docs/checking-gradients.md has the tables, with device and minutes.
"""

import dataclasses
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor as Pool
from dataclasses import dataclass
from multiprocessing import get_context

from rich.progress import track

from experiments.checkers.checkers import CHECKERS, Answer, run_checker
from experiments.checkers.correct_gradients import CORRECT_GRADIENTS
from experiments.checkers.mutants import MUTANTS
from experiments.checkers.tables import Judged, Table, by_kind, by_trap, side_by_side
from experiments.framework import interrupt
from experiments.framework.claim import Claim
from experiments.framework.options import Output, parse, refuse
from experiments.framework.report import Findings, report
from experiments.framework.run import Run
from experiments.framework.screen import Screen

TITLE = "Gradient checkers, on wrong gradients and on correct ones that look wrong"
DESCRIPTION = (
    f"{TITLE}: fcnn.check compared with jax.test_util.check_grads, and with "
    "torch.autograd.gradcheck if torch is installed. Exit code: 0 if every claim holds, 1 if one "
    "fails, 2 for a usage error, 130 if interrupted."
)
NAMED = 0.9  # claim 2: the smallest share of mutants whose mistake is named
PROBLEMS = (*MUTANTS, *CORRECT_GRADIENTS)
SMOKE = 40  # --smoke runs every 40th problem


@dataclass(frozen=True)
class Config(Output):
    jobs: int = os.cpu_count() or 1
    """Number of parallel processes. Seconds are measured while all of them share the machine."""


def main(arguments: list[str]) -> int:
    config = parse(Config, "checkers", arguments, DESCRIPTION)
    if config.jobs < 1:
        return refuse(f"checkers: --jobs {config.jobs} must be at least 1")
    try:
        run = Run("checkers", config.output_dir, config)
    except OSError as error:
        return refuse(f"checkers: --output-dir {config.output_dir}: {error.strerror}")
    stride = SMOKE if config.smoke else 1
    console, stopped = Screen(), ""
    mutants: list[Judged] = []
    correct: list[Judged] = []
    numbers = range(0, len(PROBLEMS), stride)
    with Pool(config.jobs, mp_context=get_context("spawn"), initializer=ignore_interrupts) as pool:
        all_answers = pool.map(answers_to, numbers)
        try:
            for i in track(numbers, "checking", console=console, transient=True):
                interrupt.check()
                judged = Judged(PROBLEMS[i], next(all_answers))
                (mutants if i < len(MUTANTS) else correct).append(judged)
                write_metric(run, judged)
        except KeyboardInterrupt:
            stopped = "Interrupted"
            pool.shutdown(wait=False, cancel_futures=True)
    if not (mutants and correct):
        console.print(
            "Interrupted before the first correct gradient was checked; there is no report."
        )
        return 130
    claims = [] if config.smoke or stopped else claims_of(mutants, correct)
    tables = [side_by_side(mutants, correct), by_kind(mutants), by_trap(correct)]
    write(run, mutants, correct, tables, claims, stopped)
    for table in tables:
        console.print(table.rich())
    for claim in claims:
        console.print(f"[bold]{claim.verdict}[/]: {claim.text} ({claim.evidence})")
    console.print(str(run.folder / "report.html"), highlight=False, soft_wrap=True)
    if run.failed:
        return refuse(f"checkers: {run.failed}")
    return 130 if stopped else 1 if any(claim.held is False for claim in claims) else 0


def answers_to(i: int) -> dict[str, Answer]:
    """The answer of each checker to problem i."""
    return {name: run_checker(name, PROBLEMS[i]) for name in CHECKERS}


def ignore_interrupts() -> None:
    """Ignore Ctrl-C in a worker: the process that writes the report handles it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def write_metric(run: Run, judged: Judged) -> None:
    """Write one line of metrics.jsonl."""
    p, answers = judged.problem, {k: dataclasses.asdict(a) for k, a in judged.answers.items()}
    run.metric(problem=p.name, family=p.family, kind=p.kind, answers=answers)


def claims_of(mutants: Sequence[Judged], correct: Sequence[Judged]) -> list[Claim]:
    caught, named = sum(m.caught for m in mutants), sum(m.named for m in mutants)
    alarms = sum(not r.answers["fcnn"].accepted for r in correct)
    n, m = len(mutants), len(correct)
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
    ]


def write(run: Run, mutants, correct, tables: Sequence[Table], claims, stopped: str) -> None:
    """Write results.json and report.html."""
    listed = lambda judged: [
        {
            "name": j.problem.name,
            "family": j.problem.family,
            "kind": j.problem.kind,
            "answers": {k: dataclasses.asdict(a) for k, a in j.answers.items()},
        }
        for j in judged
    ]
    verdicts = [dataclasses.asdict(claim) for claim in claims]
    results = {"mutants": listed(mutants), "correct": listed(correct), "claims": verdicts}
    run.save_json("results.json", {**results, "stopped": stopped, "environment": run.environment})
    findings = Findings(
        title=TITLE,
        summary=f"{len(mutants)} gradients with one mistake each and {len(correct)} correct ones.",
        claims=claims,
        judged="A mistake is named if fcnn.check reports its kind and no other.",
        tables=[(table.head, table.rows) for table in tables],
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
