"""An operator that is not complete: what works, and what is rejected in one line."""

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


def test_without_validate_no_input_is_rejected():
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
def test_one_rule_alone_is_rejected(rules, lacks):
    op = square(*rules)
    message = rf"^square: has .wd but no {lacks}; add it by @square.{lacks}(\n-+\nFor simplicity|$)"
    for call in (lambda: op(3.0), lambda: jax.grad(op)(3.0), lambda: fcnn.check(op, (X,))):
        with pytest.raises(TypeError, match=message):
            call()


def test_without_cases_it_is_checked_at_arguments_alone():
    op = square(FWD, BWD)
    with pytest.raises(TypeError, match=r"^check: square has no cases; write check.*\)$"):
        fcnn.check(op)
    (row,) = fcnn.check(op, (X,), cost=False).rows
    assert row.says.startswith("equals 1.5 × the right gradient")
    op.cases = (Case("a matrix", ((2, 3),)),)
    assert [row.problem for row in fcnn.check(op, cost=False).rows] == ["square: a matrix"]


def test_cases_without_floats_are_rejected():
    with pytest.raises(TypeError, match=r"^check: one_hot has no case with a floating argument"):
        fcnn.check(fcnn.one_hot)


PAIR = "not the pair of y and the residuals; write return y, saved"
ONE_EACH = r"not a tuple of one cotangent for each of x; write return \(dx,\), with None"
RETURNED = {
    "bwd: nothing": (FWD, lambda x, dy: None, f"bwd returns None, {ONE_EACH}"),
    "bwd: an array": (FWD, lambda x, dy: 2 * x * dy, rf"bwd returns float..\[.*3\], {ONE_EACH}"),
    "bwd: none": (FWD, lambda x, dy: (), rf"bwd returns \(\), {ONE_EACH}"),
    "bwd: two": (FWD, lambda x, dy: (dy, dy), rf"bwd returns \(float.*\), {ONE_EACH}"),
    "fwd: nothing": (lambda x: None, BWD, f"fwd returns None, {PAIR}"),
    "fwd: y alone": (lambda x: x * x, BWD, rf"fwd returns float..\[.*3\], {PAIR}"),
    "fwd: three": (lambda x: (x, x, x), BWD, rf"fwd returns \(float.*\), {PAIR}"),
}


@pytest.mark.parametrize("fault", RETURNED)
def test_results_of_a_rule_are_validated(fault):
    fwd, bwd, message = RETURNED[fault]
    op = square(fwd, bwd)
    each_row = lambda x: jax.vmap(op)(x).sum()
    for call in (jax.grad(lambda x: op(x).sum()), jax.grad(each_row)):
        with pytest.raises(TypeError, match=f"^square: {message}"):
            jax.eval_shape(call, X)
    with pytest.raises(TypeError, match=f"^square: {message}"):
        fcnn.check(op, (X,), cost=False)


def test_the_message_names_every_cotangent():
    op = operator()(lambda x, w: x * w)
    op.__name__ = "product"
    op.fwd(lambda x, w: (x * w, (x, w)))
    op.bwd(lambda saved, dy: (dy,))
    message = r"one cotangent for each of x, w; write return dx, dw, with None for"
    with pytest.raises(TypeError, match=message):
        jax.eval_shape(jax.grad(lambda x: op(x, x).sum()), X)


def test_misuse_of_the_decorator_is_one_line():
    def double(x):
        return 2 * x

    with pytest.raises(TypeError, match=r"^operator: write @operator\(\) above def double, with"):
        operator(double)
    with pytest.raises(TypeError, match=r"^double: static names axis; its parameters are x$"):
        operator(static=("axis",))(double)
