"""Verdicts: Student's t, Holm's adjustment, exact shares, and the rate of false verdicts."""

import math

import numpy as np
import pytest
from scipy.special import stdtrit

from experiments.framework.claim import Claim, NotJudged, Pairs, Share, differences
from experiments.framework.statistics import holm, paired, share_interval
from experiments.framework.verdict import judge

GREATER, LESS = Claim("", "a − b", "greater"), Claim("", "a − b", "less")
ZEROS = [0.0] * 10


def word(claim, values):
    return judge([claim], [values])[0].verdict


def of(*differences):
    return Pairs(differences, ZEROS[: len(differences)])


# Critical values of Student's t, two-sided 5 % and 1 %: Fisher & Yates, Statistical Tables, III
@pytest.mark.parametrize(
    ("n", "t", "p"),
    [(2, 12.706, 0.05), (3, 4.303, 0.05), (3, 9.925, 0.01), (5, 2.776, 0.05), (10, 3.250, 0.01)],
)
def test_p_values_and_intervals_agree_with_published_tables(n, t, p):
    shape = np.random.default_rng(0).normal(size=n)
    shape = (shape - shape.mean()) / shape.std(ddof=1)
    found = paired(shape + t / math.sqrt(n), ZEROS[:n])
    assert found.p == pytest.approx(p, rel=1e-3)
    if p == 0.05:
        assert found.low == pytest.approx(0, abs=1e-3)
        assert found.high == pytest.approx(2 * t / math.sqrt(n), rel=1e-3)


def test_holm_multiplies_the_smallest_most_and_keeps_the_order():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize("n", [3, 5])
def test_at_most_5_percent_of_runs_without_an_effect_have_a_verdict(n):
    """2,000 runs of three true null hypotheses; four standard errors of simulation are allowed.

    The earlier rule, two standard errors on one side, gave a false verdict in 25 % of runs.
    """
    runs, rng = 2000, np.random.default_rng(0)
    words = [
        {v.verdict for v in judge([GREATER] * 3, [of(*d) for d in rng.normal(size=(3, n))])}
        for _ in range(runs)
    ]
    rate = sum(found != {"undecided"} for found in words) / runs
    assert 0.02 < rate <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / runs)


def test_a_claim_holds_only_if_the_difference_exceeds_the_noise():
    assert word(GREATER, of(0.1, -0.1)) == "undecided"
    assert word(GREATER, of(0.10, 0.11, 0.09)) == "held"
    assert word(GREATER, of(-0.10, -0.11, -0.09)) == "failed"
    assert word(LESS, of(-0.10, -0.11, -0.09)) == "held"
    assert word(LESS, of(0.10, 0.11, 0.09)) == "failed"


def test_more_than_two_standard_errors_of_three_seeds_are_undecided():
    d = (1.0, 2.0, 3.0)  # t = 3.46, p = 0.074
    assert 2 / (1 / math.sqrt(3)) > 2
    (found,) = judge([GREATER], [of(*d)])
    assert found.verdict == "undecided"
    assert found.evidence == "+2.0, 95 % interval -0.5 to +4.5, n = 3, p = 0.074"


def test_a_difference_within_the_margin_is_no_success():
    claim = Claim("", "", "greater", margin=0.2)
    assert word(claim, of(0.10, 0.11, 0.09)) == "failed"
    assert word(claim, of(0.30, 0.31, 0.29)) == "held"
    assert word(claim, of(0.1, 0.3, 0.2)) == "undecided"
    less = Claim("", "", "less", margin=0.2)
    assert word(less, of(-0.30, -0.31, -0.29)) == "held"
    assert word(less, of(-0.10, -0.11, -0.09)) == "failed"


def test_more_claims_need_a_smaller_p():
    d = of(*(stdtrit(4, 0.985) / math.sqrt(5) + s for s in np.array([-2, -1, 0, 1, 2]) / 2.5**0.5))
    assert word(GREATER, d) == "held"  # p = 0.03
    noise = of(0.1, -0.1, 0.2, -0.2, 0.0)
    assert [v.verdict for v in judge([GREATER] * 2, [d, noise])] == ["undecided"] * 2
    skipped = NotJudged("one device")
    assert [v.verdict for v in judge([GREATER] * 2, [d, skipped])] == ["held", "not judged"]


def test_equal_differences_give_an_exact_verdict():
    assert word(GREATER, of(0.1, 0.1, 0.1)) == "held"
    assert word(GREATER, of(-0.1, -0.1, -0.1)) == "failed"
    assert word(GREATER, of(0.0, 0.0, 0.0)) == "undecided"
    assert word(Claim("", "", margin=0.5), of(0.5, 0.5)) == "undecided"
    a, b = [0.3, 0.9, 0.7], [0.1 + 0.2, 0.3 * 3, 0.6 + 0.1]  # equal up to rounding
    assert a != b
    assert word(GREATER, Pairs(a, b)) == "undecided"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_undecided(value):
    (found,) = judge([GREATER], [of(1.0, 1.0, value)])
    assert (found.verdict, found.evidence) == ("undecided", "a value is not finite")


def test_one_pair_is_undecided():
    (found,) = judge([GREATER], [of(1.0)])
    assert (found.verdict, found.evidence) == ("undecided", "needs at least 2 pairs, n = 1")


def test_shares_are_judged_exactly_and_outside_of_holm():
    least, most = Claim("", "", "at least", margin=1.0), Claim("", "", "at most", margin=0.0)
    assert (word(least, Share(10, 10)), word(least, Share(9, 10))) == ("held", "failed")
    assert (word(most, Share(0, 10)), word(most, Share(1, 10))) == ("held", "failed")
    assert word(least, Share(0, 0)) == "undecided"
    d = of(0.10, 0.13, 0.07)  # p = 0.029
    assert [v.verdict for v in judge([GREATER, least], [d, Share(1, 1)])] == ["held", "held"]
    (found,) = judge([least], [Share(10, 10)])
    shown = "10 of 10, 100.0%, 95 % interval 69.2% to 100.0%, claimed: at least 100 %"
    assert found.evidence == shown
    (found,) = judge([least], [Share(9, 10, exhaustive=True)])
    shown = "9 of 10, 90.0%, all cases, claimed: at least 100 %"
    assert (found.verdict, found.evidence) == ("failed", shown)


def test_a_share_whose_interval_contains_the_margin_is_undecided():
    most, least = (Claim("", "", d, margin=0.5) for d in ("at most", "at least"))
    assert [word(least, Share(k, 100)) for k in (39, 50, 55, 61)] == [
        *("failed", "undecided", "undecided", "held")
    ]
    assert [word(most, Share(k, 100)) for k in (39, 45, 61)] == ["held", "undecided", "failed"]
    assert word(least, Share(55, 100, exhaustive=True)) == "held"


def test_more_cases_than_there_are_is_an_error():
    with pytest.raises(ValueError, match="5 of 3 cases: count must be from 0 to 3"):
        Share(5, 3)


def test_bounds_say_what_the_measure_must_be():
    bound = lambda *args: Claim("", "", *args).bound
    assert bound("greater", 1.5) == "more than 1.5"
    assert bound("less", -1.0) == "less than 1"
    assert bound("at most", 0.01) == "at most 1 %"
    assert judge([Claim("", "", margin=2.0)], [of(3.1, 3.2)])[0].evidence.endswith("more than 2")


def test_a_difference_that_overflows_is_undecided():
    assert word(GREATER, Pairs([1e308, 1.0], [-1e308, 0.0])) == "undecided"


def test_intervals_of_shares_agree_with_published_values():
    """Clopper & Pearson's interval of 4 of 10: 12.2 % to 73.8 %; rule of three for 0 of n."""
    assert share_interval(4, 10) == pytest.approx((0.1216, 0.7376), abs=1e-4)
    assert share_interval(0, 100) == pytest.approx((0, 0.0362), abs=1e-4)


def test_changes_of_claims_are_listed_with_their_reason():
    old = [{"text": "a", "measure": "m", "direction": "greater", "margin": 0.0, "unit": ""}]
    assert differences(old, [Claim("a", "m")]) == []
    (line,) = differences(old, [Claim("a", "m", margin=1.0, changed="a gain of 1 is noise")])
    assert line == "claim 1: claimed: more than 0 → more than 1: a gain of 1 is noise"
    judged = [{**old[0], "verdict": "held"}]
    points = Claim("a", "n", "less", -1.0, "points")
    (line,) = differences(judged, [points], ["held"])
    assert line == (
        "claim 1: measure 'm' → 'n'; claimed: more than 0 → less than 1 points: the record gives "
        "no reason (verdict of the run that registered it: held)"
    )
    assert differences(judged, [Claim("a", "m")], ["held"]) == []
    (line,) = differences(judged, [Claim("a", "m")], ["undecided"])
    assert line == "claim 1: held → undecided: by another run, or by today's rule"
    assert "no reason" in differences(old, [Claim("b", "m")])[0]
    assert "1 claims were registered, and the record has 0" in differences(old, [])[0]
    assert differences([], [Claim("a", "m")]) == ["0 claims were registered, and the record has 1"]
    (line,) = differences(old, [Claim("a", "m"), Claim("b", "m")])
    assert line == "claim 2 was added later: 'b'"


def test_evidence_of_another_kind_is_an_error():
    with pytest.raises(TypeError, match="claim '' is 'greater', and has Share"):
        judge([GREATER], [Share(1, 2)])


def test_an_unknown_direction_is_rejected():
    with pytest.raises(ValueError, match="unknown direction 'larger'; expected one of"):
        Claim("a", "b", "larger")
