"""fcnn.check rejects every mutant, names the mistake of most, and accepts correct gradients."""

from collections import Counter

import pytest

from experiments.checkers import NAMED
from experiments.checkers.checkers import by_fcnn
from experiments.checkers.correct_gradients import CORRECT_GRADIENTS
from experiments.checkers.mutants import MUTANTS
from experiments.checkers.problem import KINDS
from experiments.checkers.undiagnosed import UNDIAGNOSED

pytestmark = pytest.mark.usefixtures("jax_default_promotion")

EVERY = 4  # the second tier has every 4th problem; the experiment `checkers` runs all problems
SECOND = pytest.mark.all("0.5 s per problem; the first tier runs one problem of each kind")


def one_of_each_kind(problems):
    """Names of mutants whose mistake the checker names: one for each kind of mistake.

    Each mutant is from the family of which the fewest mutants are chosen so far.
    """
    chosen, families = {}, Counter()
    for kind in dict.fromkeys(p.kind for p in problems):
        candidates = [p for p in problems if p.kind == kind and p.name not in UNDIAGNOSED]
        chosen[kind] = min(candidates, key=lambda p: families[p.family])
        families[chosen[kind].family] += 1
    return {p.name for p in chosen.values()}


def tiers(problems, first):
    """A pytest parameter for each problem of the first or second tier."""
    second = {p.name for p in problems[::EVERY]} - first
    marks = lambda p: [SECOND] if p.name in second else []
    chosen = [p for p in problems if p.name in first | second]
    return [pytest.param(p, id=p.name, marks=marks(p)) for p in chosen]


FIRST = one_of_each_kind(MUTANTS)
# Names of correct gradients: one of each kind, chosen without regard to families.
FIRST_CORRECT = set({p.kind: p.name for p in reversed(CORRECT_GRADIENTS)}.values())


@pytest.mark.parametrize("mutant", tiers(MUTANTS, FIRST))
def test_a_mistake_is_caught_and_named(mutant):
    message = by_fcnn(mutant)
    assert message
    assert (message == mutant.kind) == (mutant.name not in UNDIAGNOSED)


@pytest.mark.parametrize("right", tiers(CORRECT_GRADIENTS, FIRST_CORRECT))
def test_a_correct_gradient_is_accepted(right):
    assert by_fcnn(right) == ""


def test_the_first_tier_has_every_kind_and_every_family():
    first = [m for m in MUTANTS if m.name in FIRST]
    assert {m.kind for m in first} == set(KINDS)
    assert {m.family for m in first} == {m.family for m in MUTANTS}
    assert {r.kind for r in CORRECT_GRADIENTS if r.name in FIRST_CORRECT} == {
        r.kind for r in CORRECT_GRADIENTS
    }


def test_number_of_mutants():
    assert len(MUTANTS) >= 150
    assert {m.kind for m in MUTANTS} == set(KINDS)
    assert len({p.name for p in (*MUTANTS, *CORRECT_GRADIENTS)}) == len(MUTANTS) + len(
        CORRECT_GRADIENTS
    )
    assert set(UNDIAGNOSED) <= {m.name for m in MUTANTS}
    assert len(UNDIAGNOSED) <= (1 - NAMED) * len(MUTANTS)
