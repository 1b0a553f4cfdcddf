"""What was said, as tables: by kind of mistake, by trap, and checker beside checker."""

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any, NamedTuple

import rich.table
from rich import box

from experiments.checkers.correct_gradients import CORRECT_GRADIENTS
from experiments.checkers.judges import Answer
from experiments.checkers.mutants import MUTANTS
from experiments.checkers.problem import CheckerProblem
from fcnn.cli.table import markdown


class Judged(NamedTuple):
    """A problem, and what each checker said of it."""

    problem: CheckerProblem
    said: dict[str, Answer]

    @property
    def caught(self) -> bool:
        return not self.said["fcnn"].right

    @property
    def named(self) -> bool:
        """Whether fcnn named the mistake that was made, and no other."""
        return self.said["fcnn"].says == self.problem.kind


def kept(results: dict[str, Any]) -> tuple[list[Judged], list[Judged]]:
    """Mutants and right gradients as a results.json tells of them."""
    known = {problem.name: problem for problem in (*MUTANTS, *CORRECT_GRADIENTS)}
    read = lambda j: Judged(known[j["name"]], {k: Answer(**said) for k, said in j["said"].items()})
    return list(map(read, results["mutants"])), list(map(read, results["rights"]))


class Table(NamedTuple):
    """Cells below a head, for a terminal, a page or a README."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def rich(self) -> rich.table.Table:
        shown = rich.table.Table(*self.head, box=box.SIMPLE_HEAD, show_edge=False)
        for column in shown.columns[1:]:
            column.justify = "right"
        for row in self.rows:
            shown.add_row(*row)
        return shown

    def markdown(self) -> str:
        return "\n".join(markdown(self.head, self.rows))


def by_kind(mutants: Sequence[Judged]) -> Table:
    """Mistakes of each kind: how many, how many fcnn caught, and how many it named."""
    rows = []
    for kind, some in _grouped(mutants):
        counts = len(some), sum(m.caught for m in some), sum(m.named for m in some)
        rows.append((kind, *map(str, counts)))
    total = len(mutants), sum(m.caught for m in mutants), sum(m.named for m in mutants)
    return Table(("mistake", "mutants", "caught", "named"), [*rows, ("all", *map(str, total))])


def by_trap(rights: Sequence[Judged]) -> Table:
    """Right gradients with each trap: how many each checker called wrong."""
    judges = list(rights[0].said)
    alarms = lambda some, judge: str(sum(not r.said[judge].right for r in some))
    rows = [
        (trap, str(len(some)), *(alarms(some, judge) for judge in judges))
        for trap, some in [*_grouped(rights), ("all", rights)]
    ]
    return Table(("right, with", "gradients", *judges), rows)


def side_by_side(mutants: Sequence[Judged], rights: Sequence[Judged]) -> Table:
    """Each checker on both suites."""
    rows = []
    for judge in mutants[0].said:
        said, of_right = ([j.said[judge] for j in some] for some in (mutants, rights))
        missed, alarms = sum(s.right for s in said), sum(not s.right for s in of_right)
        counts = len(said) - missed, missed, alarms
        seconds = [s.seconds for s in (*said, *of_right)]
        rows.append((judge, *map(str, counts), f"{median(seconds):.2f}", f"{sum(seconds):.0f}"))
    head = ("checker", "mutants caught", "missed", "false alarms", "median s", "all s")
    return Table(head, rows)


def _grouped(judged: Iterable[Judged]) -> list[tuple[str, list[Judged]]]:
    groups: dict[str, list[Judged]] = {}
    for each in judged:
        groups.setdefault(each.problem.kind, []).append(each)
    return sorted(groups.items(), key=lambda pair: -len(pair[1]))
