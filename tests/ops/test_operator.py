"""An operator that is not complete: what works, and what is refused in one line."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn
from fcnn.ops import Case, operator

X = np.random.default_rng(0).standard_normal((2, 3))
FWD, BWD = (lambda x: (x * x, x)), (lambda x, dy: (3 * x * dy,))  # a wrong bwd, to be recognized


def square(fwd=None, bwd=None):
    op = operator()(lambda x: x * x)
    op.__name__ = "square"
    for rule, mark in ((fwd, op.fwd), (bwd, op.bwd)):
        if rule is not None:
            mark(rule)
    return op


def test_without_check_no_input_is_refused():
    op = square(FWD, BWD)
    assert op(3.0) == 9
    assert jax.grad(op)(3.0) == 9
    with fcnn.gradients("autodiff"):
        assert jax.grad(op)(3.0) == 6


def test_without_rules_autodiff_differentiates_it():
    op = square()
    assert op(3.0) == 9
    assert jax.grad(op)(3.0) == 6
    assert jax.vmap(jax.grad(op))(jnp.arange(3.0)).tolist() == [0, 2, 4]
    assert fcnn.check(op, (X,), cost=False).ok


@pytest.mark.parametrize(("rules", "lacks"), [((FWD, None), "bwd"), ((None, BWD), "fwd")])
def test_one_rule_alone_is_refused(rules, lacks):
    op = square(*rules)
    says = rf"^square: has .wd but no {lacks}; add it by @square.{lacks}(\n-+\nFor simplicity|$)"
    for call in (lambda: op(3.0), lambda: jax.grad(op)(3.0), lambda: fcnn.check(op, (X,))):
        with pytest.raises(TypeError, match=says):
            call()


def test_without_cases_it_is_checked_at_arguments_alone():
    op = square(FWD, BWD)
    with pytest.raises(TypeError, match=r"^check: square has no cases; give args, as in .*\)$"):
        fcnn.check(op)
    (row,) = fcnn.check(op, (X,), cost=False).rows
    assert row.says.startswith("equals 1.5 × the right gradient")
    op.cases = (Case("a matrix", ((2, 3),)),)
    assert [row.problem for row in fcnn.check(op, cost=False).rows] == ["square: a matrix"]


def test_cases_without_floats_are_refused():
    with pytest.raises(TypeError, match=r"^check: one_hot has no case with a floating argument"):
        fcnn.check(fcnn.one_hot)
