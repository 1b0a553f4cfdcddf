"""The experiment gradients finds a wrong gradient, and its formulas are what they seem."""

import copy

import jax
import pytest

import fcnn
from experiments.framework.claim import judge
from experiments.gradients import EXPERIMENT
from experiments.gradients.formulas import FORMULAS, errors
from experiments.gradients.operators import PROBLEMS, errors as operator_errors, with_gradient

pytestmark = pytest.mark.usefixtures("jax_defaults")


def test_a_wrong_gradient_has_its_error():
    wrong = copy.copy(fcnn.tanh)
    right = wrong.bwd_rule
    wrong.bwd_rule = lambda saved, dy, **o: jax.tree.map(lambda g: 1.01 * g, right(saved, dy, **o))
    found = operator_errors(wrong)
    assert found["float64"]["hand"] == pytest.approx(0.01)
    assert found["float64"]["autodiff"] == 0
    assert found["float32"]["autodiff"] < 1e-6 < found["float32"]["hand"]
    assert 1e-4 < found["bfloat16"]["autodiff"] < 0.02


def test_formulas_printed_and_right():
    found = errors(2)
    assert [f["name"] for f in found] == [f.name for f in FORMULAS]
    assert max(e for f in found for e in f["right"]) < 1e-13
    by_name = {f["name"]: f["printed"] for f in found}
    assert by_name["squared error, sign"] == pytest.approx([2, 2])
    assert by_name["squared error, ½"] == pytest.approx([1, 1])
    assert by_name["convolution, derivative"] == pytest.approx([1, 1])
    assert min(min(by_name[name]) for name in ("softmax", "convolution, kernel")) > 0.1


def test_operators_without_a_gradient_are_left_out():
    names = {op.name for op in with_gradient()}
    assert {"conv", "lstm", "relu"} <= names
    assert "one_hot" not in names
    assert len({problem.name for problem in PROBLEMS}) == 12


def test_claims_can_fail():
    cost = {"seconds": 1.0, "bytes": 8}
    half = {"seconds": 0.5, "bytes": 4}
    error = {d: {"hand": 0.0, "autodiff": 0.0} for d in ("float64", "float32", "bfloat16")}

    def verdicts(seconds_by_hand, error_by_hand, distance):
        errors = error | {"float64": {"hand": error_by_hand, "autodiff": 0.0}}
        each = {"hand": seconds_by_hand, "autodiff": cost}
        m = {name: {"problem": name, "cost": each} for name in ("conv", "relu")}
        m["error"] = {"errors": errors}
        m |= {d: {"trained": d, "distance": [distance] * 2} for d in ("float64", "float32")}
        return [v.verdict for v in judge(EXPERIMENT.claims, EXPERIMENT.evidence(m))][2:]

    assert verdicts(half, 1e-13, 1e-11) == ["held"] * 6
    slow = {"seconds": 2.0, "bytes": 18}
    assert verdicts(slow, 1e-3, 1e-3) == ["failed", "held", *["failed"] * 4]
