"""A difference of bounds is evidence only for the verdict that it bounds."""

from dataclasses import replace

import pytest

from experiments.framework.bounds import fastest, more_steps, unless_bounds
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
    if judged:
        assert evidence == replace(found, bound="at least" if a else "at most" if b else "")
    else:
        assert isinstance(evidence, NotJudged)
        assert evidence.reason.startswith("SGD was late" if a else "Adam was late")


def test_the_margin_divides_what_a_bound_can_show():
    """The mean difference is 2.5."""
    assert unless_bounds(LATE, 2.4, a="SGD was late") == replace(LATE, bound="at least")
    found = unless_bounds(LATE, 2.6, a="SGD was late")
    assert found == NotJudged("SGD was late: the difference is at least 2.5")


def test_steps_are_bounds_where_a_seed_does_not_reach_the_value():
    slow, quick = ({"steps": [n, n], "all_steps": 800} for n in (400, 100))
    some = {"steps": [100, None], "all_steps": 800}
    judged = lambda a, b: more_steps({"a": a, "b": b}, "a", "b", "0.1 nats", 1.0)
    found = judged(slow, quick)
    assert isinstance(found, Pairs)
    assert [a - b for a, b in zip(found.a, found.b, strict=True)] == pytest.approx([2.0, 2.0])
    assert isinstance(judged(some, quick), Pairs)
    assert isinstance(judged(slow, some), Pairs)
    late = "did not reach 0.1 nats"
    assert judged(some, some) == NotJudged(f"a {late}, and b {late}")
    assert fastest([slow, some, quick]) is quick
    assert fastest([some, slow]) is slow
