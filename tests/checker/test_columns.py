"""fcnn.check on a sample of the problems of the experiment `checkers`, part 2, for tuning."""

import pytest

from experiments.checkers.by_hand import RIGHT, WRONG
from experiments.checkers.by_hand.case import KINDS
from experiments.checkers.columns import SEEDS, judged, tasks
from experiments.checkers.functions import FUNCTIONS, JUDGING, TUNING
from experiments.framework.statistics import upper_bound

pytestmark = pytest.mark.usefixtures("jax_default_promotion")

EVERY = {"tuning": 27, "tuned hand": 4, "right": 89}  # about 40 problems
CHOSEN = [
    task
    for column, every in EVERY.items()
    for task in [t for t in tasks(0) if t.column == column][::every]
    if not task.name.startswith("judging")
]
SECOND = pytest.mark.all("1 s per problem; the first tier runs every sixth")


def tiers(chosen):
    marks = lambda k: [] if k % 6 == 0 else [SECOND]
    name = lambda t: f"{t.column} {t.name} {t.seed}"
    return [pytest.param(t, id=name(t), marks=marks(k)) for k, t in enumerate(chosen)]


@pytest.mark.parametrize("task", tiers(CHOSEN))
def test_a_problem_of_part_2(task):
    judgements, _ = judged(task)
    for j in judgements:
        assert j.caught == (task.column != "right"), j
        assert not j.false, j
        assert j.located or j.named, j


def test_numbers_of_problems():
    names = [f.name for f in FUNCTIONS]
    assert len(names) == len(set(names)) >= 150
    assert min(len(TUNING), len(JUDGING)) >= 60
    assert len(WRONG["judging"]) >= 100
    assert len(RIGHT["judging"]) >= 60
    rights = [t for t in tasks(0) if t.column == "right"]
    assert len(rights) >= 1000
    assert SEEDS <= 14


def test_cases_by_hand_have_known_kinds_and_a_sentence():
    for folder in WRONG:
        assert len({c.name for c in (*WRONG[folder], *RIGHT[folder])}) == len(WRONG[folder]) + len(
            RIGHT[folder]
        )
        for case in WRONG[folder]:
            assert case.mistake, case.name
            assert case.kinds, case.name
            assert set(case.kinds) <= set(KINDS), case.name
        assert not any(case.mistake or case.kinds for case in RIGHT[folder])


def test_upper_bounds():
    assert upper_bound(0, 1000) == pytest.approx(0.002991, abs=1e-5)  # 1 - 0.05 ** (1 / 1000)
    assert upper_bound(5, 100) == pytest.approx(0.1023, abs=1e-3)  # Clopper and Pearson, table
    assert upper_bound(3, 3) == 1
