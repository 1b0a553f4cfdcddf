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
