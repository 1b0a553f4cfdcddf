"""The checker is itself checked: every mistake is caught, most are named, and nothing else."""

import jax
import pytest

from experiments.checkers import NAMED
from experiments.checkers.judges import by_fcnn
from experiments.checkers.mutants import MUTANTS
from experiments.checkers.problem import KINDS
from experiments.checkers.rights import RIGHTS
from experiments.checkers.unnamed import UNNAMED

EVERY = 4  # the experiment `checkers` judges all of them
named = lambda problem: problem.name


@pytest.fixture(autouse=True)
def as_people_run_it():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@pytest.mark.parametrize("mutant", MUTANTS[::EVERY], ids=named)
def test_a_mistake_is_caught_and_named(mutant):
    says = by_fcnn(mutant)
    assert says
    assert (says == mutant.kind) == (mutant.name not in UNNAMED)


@pytest.mark.parametrize("right", RIGHTS[::EVERY], ids=named)
def test_a_right_gradient_is_not_called_wrong(right):
    assert by_fcnn(right) == ""


def test_there_are_enough_of_them():
    assert len(MUTANTS) >= 150
    assert {m.kind for m in MUTANTS} == set(KINDS)
    assert len({p.name for p in (*MUTANTS, *RIGHTS)}) == len(MUTANTS) + len(RIGHTS)
    assert set(UNNAMED) <= {m.name for m in MUTANTS}
    assert len(UNNAMED) <= (1 - NAMED) * len(MUTANTS)
