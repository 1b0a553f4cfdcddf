"""Hand-derived gradients equal autodiff and finite differences, and the proof finds mistakes."""

from functools import partial

import jax
import numpy as np
import pytest
from registry import every_case_of_floats, once_per_problem, one_case_each, over, takes_floats

from fcnn.checker.cases import CheckCase, subject_in
from fcnn.checker.compiled import CompiledSubject, exactly
from fcnn.checker.evidence import gather
from fcnn.checker.kink import judge_together
from fcnn.checker.verdict import KINK, NOT_FINITE, RIGHT, WRONG, judge, verdicts


@pytest.fixture(autouse=True)
def exact_arithmetic():
    with exactly():
        yield


@once_per_problem
def known_of(op, case, options):
    return gather(CompiledSubject(subject_in(CheckCase(op, case, options), 0)), 0)


@every_case_of_floats
def test_gradient(op, case, options):
    """NaN equals no number, so this test also proves that all gradients are finite."""
    known = known_of(op, case, options)
    for found in judge_together(known, list(verdicts(known))):
        assert found.verdict in ((RIGHT, KINK) if case.kink else (RIGHT,)), found
        assert known.reference is not None


@over(lambda op, case: case.proved and not takes_floats(op))
def test_fwd_equals_forward_for_operators_without_floats(op, case, options):
    arrays, options = op.bind(*case.draw(), **options)
    y, _ = op.fwd_rule(*arrays, **options)
    for a, b in zip(*map(jax.tree.leaves, (y, op.forward(*arrays, **options))), strict=True):
        np.testing.assert_array_equal(a, b)


MISTAKES = (
    lambda g: 1.001 * g,
    lambda g: _at(g, 0, 1e-3 + g.flat[0]),
    lambda g: _at(g, -1, np.nan),
    lambda g: np.zeros_like(g),
)


def _at(g, entry, value):
    g = g.copy()
    g.flat[entry] = value
    return g


@one_case_each
def test_the_proof_can_fail(op, case, options):
    """The proof finds a relative error of 1e-3, and an error in one entry of any gradient."""
    known = known_of(op, case, options)
    for i, right in enumerate(known.claimed):
        for mistake in MISTAKES if right.any() else MISTAKES[1:3]:
            wrong = [mistake(g) if j == i else g for j, g in enumerate(known.claimed)]
            verdict = judge(known._replace(claimed=wrong, repeat=wrong), i).verdict
            assert verdict == (NOT_FINITE if np.isnan(wrong[i]).any() else WRONG)
    off = [1.001 * y for y in known.y]
    assert judge(known._replace(y=off), 0).verdict == WRONG


@one_case_each
def test_a_gradient_that_disagrees_with_one_reference_is_wrong(op, case, options, monkeypatch):
    """The references are forward-mode autodiff and finite differences."""
    known = known_of(op, case, options)
    step = known.compiled.step
    monkeypatch.setattr(known.compiled, "step", partial(_wrong_pushforward, step))
    assert judge(known, 0).verdict == WRONG
    monkeypatch.setattr(known.compiled, "step", partial(_wrong_difference, step, known.compiled.y))
    assert judge(known, 0).verdict == WRONG


def _wrong_pushforward(step, v, h):
    y, pushed = step(v, h)
    return y, [1.001 * p for p in pushed]


def _wrong_difference(step, y, v, h):
    moved, pushed = step(v, h)
    return [a + 1.001 * (b - a) for a, b in zip(y, moved, strict=True)], pushed
