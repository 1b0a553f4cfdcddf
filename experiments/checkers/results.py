"""Results of the experiment: from finished parts, from kept results, and as claims take them."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from experiments.checkers.checkers import Answer
from experiments.checkers.config import PROBLEMS
from experiments.checkers.judge import Judgement
from experiments.checkers.mutants import MUTANTS
from experiments.checkers.tables import (
    Judged,
    by_column,
    by_kind,
    by_trap,
    columns,
    judged,
    rates,
    side_by_side,
    without_answer,
)
from experiments.framework.claim import Evidence, Share
from experiments.framework.table import Table


@dataclass
class Results:
    """Answers of all checkers to part 1, and judgements on fcnn.check in part 2."""

    mutants: list[Judged] = field(default_factory=list)
    correct: list[Judged] = field(default_factory=list)
    columns: dict[str, list[Judgement]] = field(default_factory=dict)
    dropped: dict[str, Counter] = field(default_factory=dict)

    def tables(self) -> list[Table]:
        """The tables; an interrupted run lacks those that need missing answers."""
        tables = [by_column(self.columns, self.dropped)] if self.columns else []
        if self.mutants and self.correct:
            tables.append(side_by_side(self.mutants, self.correct))
        tables += [by_kind(self.mutants)] if self.mutants else []
        return tables + ([by_trap(self.correct)] if self.correct else [])


def gather(finished: dict[str, Any]) -> Results:
    """The results of the finished parts."""
    found, known = Results(), {problem.name: problem for problem in PROBLEMS}
    for result in finished.values():
        if "judgements" not in result:
            problem = known[result["problem"]]
            answers = {name: Answer(**answer) for name, answer in result["answers"].items()}
            group = found.mutants if problem in MUTANTS else found.correct
            group.append(Judged(problem, answers))
            continue
        column = result["column"]
        found.dropped.setdefault(column, Counter()).update(result["dropped"])
        found.columns.setdefault(column, []).extend(
            Judgement(**{k: v for k, v in each.items() if k != "column"})
            for each in result["judgements"]
        )
    return found


def results(found: Results) -> dict[str, Any]:
    """The results as results.json keeps them.

    The answers to part 2 are in metrics.jsonl alone, so that nobody has to read them for a total.
    """
    return {
        "mutants": _listed(found.mutants),
        "correct": _listed(found.correct),
        "columns": {k: list(map(without_answer, v)) for k, v in found.columns.items()},
        "dropped": found.dropped,
    }


def _listed(group: Sequence[Judged]) -> list[dict[str, Any]]:
    return [
        {
            "name": j.problem.name,
            "family": j.problem.family,
            "kind": j.problem.kind,
            "answers": {k: dataclasses.asdict(a) for k, a in j.answers.items()},
        }
        for j in group
    ]


def read(kept: dict[str, Any]) -> Results:
    dropped = {column: Counter(counts) for column, counts in kept["dropped"].items()}
    return Results(*judged(kept), columns(kept), dropped)


def evidence(found: Results) -> list[Evidence]:
    """The counts for each claim of the record, which are about the cases of both suites."""
    mutants, correct, right = found.mutants, found.correct, found.columns["right"]
    hand = rates(found.columns["hand"])
    true, judged_by_hand = hand["no false sentence"]
    cases = partial(Share, exhaustive=True)
    alarms = sum(not r.answers["fcnn"].accepted for r in correct)
    return [
        cases(sum(m.caught for m in mutants), len(mutants)),
        cases(sum(m.named for m in mutants), len(mutants)),
        cases(alarms, len(correct)),
        cases(*hand["caught"]),
        cases(*hand["named or located"]),
        cases(*hand["named"]),
        cases(judged_by_hand - true, judged_by_hand),
        cases(sum(j.caught for j in right), len(right)),
    ]
