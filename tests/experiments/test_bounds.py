<<<<<<< HEAD
"""A difference of bounds is evidence only for the verdict that it bounds."""

import pytest

from experiments.framework.bounds import unless_bounds
from experiments.framework.claim import NotJudged, Pairs

LATE, EARLY = Pairs([4.0, 4.0], [1.0, 2.0]), Pairs([1.0, 2.0], [4.0, 4.0])


@pytest.mark.parametrize(
    ("found", "a", "b", "judged"),
    [
        (LATE, "", "", True),
        (LATE, "SGD", "", True),
        (LATE, "", "Adam", False),
        (EARLY, "SGD", "", False),
        (EARLY, "", "Adam", True),
        (EARLY, "SGD", "Adam", False),
    ],
)
def test_bounds_are_evidence_in_one_direction(found, a, b, judged):
    evidence = unless_bounds(found, 1.0, a=a and f"{a} was late", b=b and f"{b} was late")
    assert (evidence is found) == judged
    if not judged:
        assert isinstance(evidence, NotJudged)
        assert evidence.reason.startswith("SGD was late" if a else "Adam was late")


def test_the_margin_divides_what_a_bound_can_show():
    """The mean difference is 2.5."""
    assert unless_bounds(LATE, 2.4, a="SGD was late") is LATE
    found = unless_bounds(LATE, 2.6, a="SGD was late")
    assert found == NotJudged("SGD was late: the difference is at least 2.5")
=======
"""A lower bound decides on one side of the margin only."""

import pytest

from experiments.framework.bounds import bounded, fastest, more_steps
from experiments.framework.claim import NotJudged, Pairs


@pytest.mark.parametrize(
    ("difference", "a", "b", "judged"),
    [
        (2.0, False, False, True),
        (2.0, True, False, True),
        (2.0, False, True, False),
        (2.0, True, True, False),
        (0.0, True, False, False),
        (0.0, False, True, True),
        (0.0, True, True, False),
        (1.0, True, False, False),
    ],
)
def test_a_bound_on_the_side_of_the_margin_is_not_judged(difference, a, b, judged):
    found = Pairs([3.0 + difference] * 2, [3.0, 3.0])
    evidence = bounded(found, 1.0, a=a, b=b, reason="bound")
    assert evidence == (found if judged else NotJudged("bound"))


def test_steps_are_bounds_where_a_seed_does_not_reach_the_value():
    slow, quick = ({"steps": [n, n], "all_steps": 800} for n in (400, 100))
    some = {"steps": [100, None], "all_steps": 800}
    found = more_steps(slow, quick, 1.0, "")
    assert isinstance(found, Pairs)
    assert [a - b for a, b in zip(found.a, found.b, strict=True)] == pytest.approx([2.0, 2.0])
    assert isinstance(more_steps(some, quick, 1.0, ""), Pairs)
    assert isinstance(more_steps(slow, some, 1.0, ""), Pairs)
    assert isinstance(more_steps(some, some, 1.0, ""), NotJudged)
    assert fastest([slow, some, quick]) is quick
    assert fastest([some, slow]) is slow
>>>>>>> mend1
