"""Incomplete operators: calls that work without rules or cases, and errors of one line."""

import traceback
from contextlib import ExitStack
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn
from fcnn.ops import Case, operator
from fcnn.ops.validation import named

X = np.random.default_rng(0).standard_normal((2, 3))
FWD, BWD = (lambda x: (x * x, x)), (lambda x, dy: (3 * x * dy,))  # bwd is wrong: 2 x dy is right


def square(fwd=None, bwd=None):
    op = operator()(lambda x: x * x)
    op.__name__ = "square"
    for rule, mark in ((fwd, op.fwd), (bwd, op.bwd)):
        if rule is not None:
            mark(rule)
    return op


def test_an_operator_without_validate_rejects_no_input():
    op = square(FWD, BWD)
    assert op(3.0) == 9
    assert jax.grad(op)(3.0) == 9
    with fcnn.gradients("autodiff"):
        assert jax.grad(op)(3.0) == 6


def test_an_operator_without_rules_is_differentiated_by_autodiff():
    op = square()
    assert op(3.0) == 9
    assert jax.grad(op)(3.0) == 6
    assert jax.vmap(jax.grad(op))(jnp.arange(3.0)).tolist() == [0, 2, 4]
    assert fcnn.check(op, (X,), cost=False).ok


@pytest.mark.parametrize(("rules", "lacks"), [((FWD, None), "bwd"), ((None, BWD), "fwd")])
def test_fwd_without_bwd_and_bwd_without_fwd_are_rejected(rules, lacks):
    op = square(*rules)
    message = rf"^square: has .wd but no {lacks}; add it by @square.{lacks}(\n-+\nFor simplicity|$)"
    for call in (lambda: op(3.0), lambda: jax.grad(op)(3.0), lambda: fcnn.check(op, (X,))):
        with pytest.raises(TypeError, match=message):
            call()


def test_check_of_an_operator_without_cases_needs_arguments():
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
    raises = f"^check: {fault[:3]} of square raises TypeError: square: {message}"
    with pytest.raises(RuntimeError, match=raises):
        fcnn.check(op, (X,), cost=False)


def test_the_message_names_every_cotangent():
    op = operator()(lambda x, w: x * w)
    op.__name__ = "product"
    op.fwd(lambda x, w: (x * w, (x, w)))
    op.bwd(lambda saved, dy: (dy,))
    message = r"one cotangent for each of x, w; write return dx, dw, with None for"
    with pytest.raises(TypeError, match=message):
        jax.eval_shape(jax.grad(lambda x: op(x, x).sum()), X)


def test_misuse_of_the_decorator_has_an_error_of_one_line():
    def double(x):
        return 2 * x

    with pytest.raises(TypeError, match=r"^operator: write @operator\(\) above def double, with"):
        operator(double)
    with pytest.raises(TypeError, match=r"^double: static names axis; its parameters are x$"):
        operator(static=("axis",))(double)


def rejecting(validate):
    op = square(FWD, BWD)
    op.validate(validate)
    return op


def raising(error):
    def validate(x):
        raise error

    return validate


@pytest.mark.parametrize("kind", [ValueError, TypeError])
def test_error_messages_of_validate_start_with_the_name_of_the_operator(kind):
    op = rejecting(raising(kind("x is odd", 3)))
    for call in (op, jax.jit(op), jax.grad(op)):
        op.validate(raising(kind("x is odd", 3)))
        with pytest.raises(kind) as caught:
            call(3.0)
        assert caught.value.args == ("square: x is odd", 3)
        assert type(caught.value) is kind
        assert caught.value.__cause__ is None


def test_the_name_of_the_operator_adds_nothing_to_the_traceback():
    with pytest.raises(ValueError, match=r"^square: x is odd$") as caught:
        rejecting(raising(ValueError("x is odd")))(3.0)
    pages = [Path(f.filename).name for f in traceback.extract_tb(caught.value.__traceback__)]
    assert "op.py" in pages
    assert "validation.py" not in pages
    assert caught.value.__context__ is None


class OfJax(ValueError):
    """A subclass of ValueError, as some errors of JAX are."""


UNTOUCHED = [OfJax("x is traced"), KeyError("x"), NameError("x"), ValueError(), TypeError(3)]


@pytest.mark.parametrize("error", UNTOUCHED, ids=repr)
def test_errors_of_other_types_and_without_a_message_are_untouched(error):
    args = error.args
    with pytest.raises(type(error)) as caught:
        rejecting(raising(error))(3.0)
    assert caught.value is error
    assert error.args == args


def test_a_validate_rule_that_reads_a_traced_value_raises_an_error_of_jax():
    def positive(x):
        if x <= 0:
            raise ValueError("x must be positive")

    op = rejecting(positive)
    with pytest.raises(ValueError, match=r"^square: x must be positive$"):
        op(-1.0)
    with pytest.raises(jax.errors.TracerBoolConversionError) as caught:
        jax.jit(op)(1.0)
    assert "square: " not in str(caught.value).splitlines()[0]


def test_errors_of_forward_do_not_start_with_the_name_of_the_operator():
    op = operator()(raising(ValueError("x is odd")))
    with pytest.raises(ValueError, match=r"^x is odd$"):
        op(3.0)


def outer(forward, validate=lambda x: None):
    op = operator()(forward)
    op.__name__ = "outer"
    op.validate(validate)
    return op


def test_an_error_of_a_nested_operator_starts_with_the_name_of_the_nested_operator():
    inner = lambda x: rejecting(raising(ValueError("x is odd")))(x)
    for op in (outer(inner), outer(lambda x: x, validate=inner)):
        with pytest.raises(ValueError, match=r"^square: x is odd$"):
            op(3.0)


@pytest.mark.parametrize(("fault", "rules"), {"fwd": (None, BWD), "bwd": (FWD, None)}.items())
def test_an_incomplete_operator_called_in_validate_is_named_in_the_error(fault, rules):
    op = outer(lambda x: x, validate=square(*rules))
    with pytest.raises(TypeError, match=rf"^square: has .wd but no {fault}; add it by"):
        op(3.0)


@pytest.mark.parametrize("fault", RETURNED)
def test_an_operator_with_a_wrong_rule_called_in_validate_is_named_in_the_error(fault):
    fwd, bwd, message = RETURNED[fault]
    with pytest.raises(TypeError, match=f"^square: {message}"):
        outer(lambda x: x, validate=jax.grad(lambda x: square(fwd, bwd)(x).sum()))(X)


def test_errors_of_a_reused_validate_rule_start_with_the_name_of_the_calling_operator():
    two_axes = lambda x: fcnn.conv.validate_rule(x, x, None, **fcnn.conv.bind(x, x)[1])
    with pytest.raises(ValueError, match=r"^outer: w \(2, 3\) needs at least 3 axes$"):
        outer(lambda x: x, validate=two_axes)(X)


@pytest.mark.parametrize("names", [("inner",), ("outer", "inner"), ("a", "outer", "inner")])
def test_an_error_starts_with_the_innermost_of_nested_names(names):
    with ExitStack() as stack:
        stack.enter_context(pytest.raises(TypeError, match=r"^inner: x$"))
        for name in names:
            stack.enter_context(named(name))
        raise TypeError("x")
