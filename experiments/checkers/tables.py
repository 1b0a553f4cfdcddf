"""Tables of the results: by kind of mistake, by kind of correct gradient, and by checker."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from experiments.checkers.checkers import Answer
from experiments.checkers.correct_gradients import CORRECT_GRADIENTS
from experiments.checkers.judge import Judgement
from experiments.checkers.mutants import MUTANTS
from experiments.checkers.problem import CheckerProblem
from experiments.framework.statistics import upper_bound
from experiments.framework.table import Best, Table


class Judged(NamedTuple):
    """A problem, and the answer of each checker."""

    problem: CheckerProblem
    answers: dict[str, Answer]

    @property
    def caught(self) -> bool:
        return not self.answers["fcnn"].accepted

    @property
    def named(self) -> bool:
        """Whether fcnn named this mistake and no other."""
        return self.answers["fcnn"].message == self.problem.kind


def judged(results: dict[str, Any]) -> tuple[list[Judged], list[Judged]]:
    """Mutants and correct gradients, read from a results.json."""
    known = {problem.name: problem for problem in (*MUTANTS, *CORRECT_GRADIENTS)}
    answers = lambda j: {checker: Answer(**answer) for checker, answer in j["answers"].items()}
    read = lambda j: Judged(known[j["name"]], answers(j))
    return list(map(read, results["mutants"])), list(map(read, results["correct"]))


def without_answer(judgement: Judgement) -> dict[str, Any]:
    return {k: v for k, v in dataclasses.asdict(judgement).items() if k != "answer"}


def columns(results: dict[str, Any]) -> dict[str, list[Judgement]]:
    """The judgements of part 2 by column, read from a results.json."""
    read = lambda found: [Judgement(**j, answer="") for j in found]
    return {column: read(found) for column, found in results["columns"].items()}


def rates(judgements: Sequence[Judgement]) -> dict[str, tuple[int, int]]:
    """Counts of wrong gradients, each with the number that could be reached."""
    must = [j for j in judgements if j.must]
    n = len(judgements)
    return {
        "caught": (sum(j.caught for j in judgements), n),
        "named or located": (sum(j.named or j.located for j in judgements), n),
        "named": (sum(j.named for j in must), len(must)),
        "no false sentence": (sum(not j.false for j in judgements), n),
    }


def by_column(
    columns: Mapping[str, Sequence[Judgement]], dropped: Mapping[str, Mapping[str, int]]
) -> Table:
    """One row for each column of problems (`columns.py`); see `judge.py` for the terms."""
    rows = []
    for column, judgements in columns.items():
        seconds = f"{median(j.seconds for j in judgements):.1f}" if judgements else ""
        n = len(judgements)
        if column == "right":
            wrong = sum(j.caught for j in judgements)
            bound = f"{wrong} called wrong (< {upper_bound(wrong, n):.1%})"
            rows.append((column, f"{n}", bound, "", "", "", "", seconds))
            continue
        share = {k: f"{a} ({a / b:.1%})" if b else "" for k, (a, b) in rates(judgements).items()}
        must = sum(j.must for j in judgements)
        equal = dropped.get(column, {}).get("equal to the right gradient", 0)
        false = sum(j.false for j in judgements)
        rows.append(
            (
                column,
                f"{n}" + (f" + {equal} equal" if equal else ""),
                share["caught"],
                share["named or located"],
                f"{must}",
                share["named"],
                f"{false}",
                seconds,
            )
        )
    head = ("problems", "number", "caught", "named or located", "must be named", "named")
    return Table((*head, "false", "median seconds"), rows)


def by_kind(mutants: Sequence[Judged]) -> Table:
    """For each kind of mistake: numbers of mutants, caught mutants and correctly named mistakes."""
    rows = []
    for kind, group in _grouped(mutants):
        counts = len(group), sum(m.caught for m in group), sum(m.named for m in group)
        rows.append((kind, *map(str, counts)))
    total = len(mutants), sum(m.caught for m in mutants), sum(m.named for m in mutants)
    return Table(("mistake", "mutants", "caught", "named"), [*rows, ("all", *map(str, total))])


def by_trap(correct: Sequence[Judged]) -> Table:
    """For each kind of correct gradient: the number of gradients, and of each checker's alarms."""
    checkers = list(correct[0].answers)
    alarms = lambda group, checker: str(sum(not r.answers[checker].accepted for r in group))
    rows = [
        (kind, str(len(group)), *(alarms(group, checker) for checker in checkers))
        for kind, group in [*_grouped(correct), ("all", correct)]
    ]
    return Table(("correct gradient with", "gradients", *checkers), rows)


def side_by_side(mutants: Sequence[Judged], correct: Sequence[Judged]) -> Table:
    """Counts and seconds of each checker, on mutants and on correct gradients."""
    rows = []
    for checker in mutants[0].answers:
        answers, of_correct = ([j.answers[checker] for j in group] for group in (mutants, correct))
        missed, alarms = sum(a.accepted for a in answers), sum(not a.accepted for a in of_correct)
        counts = len(answers) - missed, missed, alarms
        seconds = [a.seconds for a in (*answers, *of_correct)]
        rows.append((checker, *map(str, counts), f"{median(seconds):.2f}", f"{sum(seconds):.0f}"))
    head = ("checker", "mutants caught", "missed", "false alarms")
    best: dict[str, Best] = {head[1]: "highest", head[2]: "lowest", head[3]: "lowest"}
    return Table((*head, "median seconds", "total seconds"), rows, best=best)


def _grouped(judged: Iterable[Judged]) -> list[tuple[str, list[Judged]]]:
    groups: dict[str, list[Judged]] = {}
    for each in judged:
        groups.setdefault(each.problem.kind, []).append(each)
    return sorted(groups.items(), key=lambda pair: -len(pair[1]))
