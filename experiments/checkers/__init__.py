"""Gradient checkers, on gradients with one mistake each and on right ones that look wrong.

Claims, of fcnn.check:

    1. it catches every mutant: an operator's backward pass with one deliberate mistake;
    2. it names the mistake in at least nine of ten;
    3. it calls no right gradient wrong, at kinks, at ties, in short dtypes or at large values.

Command: python -m experiments checkers
Result:  README.md has the tables, with device and minutes.
"""

import dataclasses
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor as Pool
from dataclasses import dataclass
from multiprocessing import get_context

from rich.progress import track

from experiments.checkers.correct_gradients import CORRECT_GRADIENTS
from experiments.checkers.judges import JUDGES, Answer, run_checker
from experiments.checkers.mutants import MUTANTS
from experiments.checkers.tables import Judged, Table, by_kind, by_trap, side_by_side
from experiments.framework import interrupt
from experiments.framework.claim import Claim
from experiments.framework.options import Output, parse, refuse
from experiments.framework.report import Findings, report
from experiments.framework.run import Run
from experiments.framework.screen import Screen

TITLE = "Gradient checkers, on wrong gradients and on right ones that look wrong"
DESCRIPTION = (
    f"{TITLE}: fcnn.check beside jax.test_util.check_grads, and beside torch.autograd.gradcheck if "
    "torch is installed. Exit code: 0 if every claim holds, 1 if one fails, 2 for misuse, 130 if "
    "stopped."
)
NAMED = 0.9  # the share of mutants whose mistake is to be named
PROBLEMS = (*MUTANTS, *CORRECT_GRADIENTS)
SMOKE = 40  # --smoke takes every 40th problem


@dataclass(frozen=True)
class Config(Output):
    jobs: int = os.cpu_count() or 1
    """How many processes judge side by side. Seconds are those of a machine so shared."""


def main(arguments: list[str]) -> int:
    config = parse(Config, "checkers", arguments, DESCRIPTION)
    if config.jobs < 1:
        return refuse(f"checkers: --jobs {config.jobs} must be at least 1")
    try:
        run = Run("checkers", config.output_dir, config)
    except OSError as wrong:
        return refuse(f"checkers: --output-dir {config.output_dir}: {wrong.strerror}")
    every = SMOKE if config.smoke else 1
    console, stopped = Screen(), ""
    mutants: list[Judged] = []
    rights: list[Judged] = []
    numbers = range(0, len(PROBLEMS), every)
    with Pool(config.jobs, mp_context=get_context("spawn"), initializer=ignore_interrupts) as pool:
        all_said = pool.map(ask_all, numbers)
        try:
            for i in track(numbers, "judging", console=console, transient=True):
                interrupt.check()
                judged = Judged(PROBLEMS[i], next(all_said))
                (mutants if i < len(MUTANTS) else rights).append(judged)
                note(run, judged)
        except KeyboardInterrupt:
            stopped = "Interrupted"
            pool.shutdown(wait=False, cancel_futures=True)
    if not (mutants and rights):
        console.print("Interrupted before there was anything to tell.")
        return 130
    claims = [] if config.smoke or stopped else claims_of(mutants, rights)
    tables = [side_by_side(mutants, rights), by_kind(mutants), by_trap(rights)]
    write(run, mutants, rights, tables, claims, stopped)
    for table in tables:
        console.print(table.rich())
    for claim in claims:
        console.print(f"[bold]{claim.verdict}[/]: {claim.text} ({claim.evidence})")
    console.print(str(run.folder / "report.html"), highlight=False, soft_wrap=True)
    if run.failed:
        return refuse(f"checkers: {run.failed}")
    return 130 if stopped else 1 if any(claim.held is False for claim in claims) else 0


def ask_all(i: int) -> dict[str, Answer]:
    """What each checker says of problem i."""
    return {name: run_checker(name, PROBLEMS[i]) for name in JUDGES}


def ignore_interrupts() -> None:
    """Ctrl-C is for the process that writes the report."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def note(run: Run, judged: Judged) -> None:
    """A line of metrics.jsonl."""
    p, said = judged
    said = {name: dataclasses.asdict(s) for name, s in said.items()}
    run.metric(problem=p.name, family=p.family, kind=p.kind, said=said)


def claims_of(mutants: Sequence[Judged], rights: Sequence[Judged]) -> list[Claim]:
    caught, named = sum(m.caught for m in mutants), sum(m.named for m in mutants)
    alarms = sum(not r.said["fcnn"].right for r in rights)
    n, m = len(mutants), len(rights)
    return [
        Claim("Every mutant is caught", "mutants caught", f"{caught} of {n}", caught == n),
        Claim(
            "The mistake is named in at least nine of ten",
            "mutants whose mistake is named",
            f"{named} of {n}, {named / n:.1%}",
            named >= NAMED * n,
        ),
        Claim("No right gradient is called wrong", "false alarms", f"{alarms} of {m}", alarms == 0),
    ]


def write(run: Run, mutants, rights, tables: Sequence[Table], claims, stopped: str) -> None:
    """results.json and report.html."""
    listed = lambda judged: [
        {
            "name": j.problem.name,
            "family": j.problem.family,
            "kind": j.problem.kind,
            "said": {name: dataclasses.asdict(s) for name, s in j.said.items()},
        }
        for j in judged
    ]
    verdicts = [dataclasses.asdict(claim) for claim in claims]
    results = {"mutants": listed(mutants), "rights": listed(rights), "claims": verdicts}
    run.save_json("results.json", {**results, "stopped": stopped, "environment": run.environment})
    findings = Findings(
        title=TITLE,
        summary=f"{len(mutants)} gradients with one mistake each and {len(rights)} right ones.",
        claims=claims,
        judged="A mistake is named if the words for it are those of its kind, and no others.",
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
