"""The experiment gradients finds a wrong gradient, and its formulas are what they seem."""

import copy

import jax
import pytest

import fcnn
from experiments.framework.claim import Pairs
from experiments.framework.verdict import judge
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


FORMULA = {"name": "softmax", "printed": [1.0, 0.5], "right": [0.0, 1e-12]}
ERRORS = {
    "float64": {"hand": 1e-13, "autodiff": 0.0},
    "float32": {"hand": 1e-6, "autodiff": 1e-6},
    "bfloat16": {"hand": 1e-2, "autodiff": 1e-2},
}
COST = {"hand": {"seconds": 1.0, "bytes": 4}, "autodiff": {"seconds": 2.0, "bytes": 8}}


def verdicts(formula=FORMULA, errors=ERRORS, cost=COST, float64=1e-11, float32=1e-5):
    m = {
        "formulas": {"formulas": [formula]},
        **{f"error of {i}": {"operator": f"{i}", "errors": errors} for i in range(50)},
        **{name: {"problem": name, "cost": cost} for name in ("conv", "relu")},
        "network in float64": {"trained": "float64", "distance": [float64] * 2},
        "network in float32": {"trained": "float32", "distance": [float32] * 2},
    }
    return [v.verdict for v in judge(EXPERIMENT.claims, EXPERIMENT.evidence(m))]


@pytest.mark.parametrize(
    ("change", "index"),
    [
        ({"formula": FORMULA | {"right": [0.0, 1e-9]}}, 0),
        ({"formula": FORMULA | {"printed": [1.0, 0.01]}}, 1),
        ({"errors": ERRORS | {"float64": {"hand": 1e-11, "autodiff": 0.0}}}, 2),
        ({"errors": ERRORS | {"bfloat16": {"hand": 0.04, "autodiff": 0.01}}}, 3),
        ({"cost": COST | {"hand": {"seconds": 3.0, "bytes": 4}}}, 4),
        ({"cost": COST | {"hand": {"seconds": 1.0, "bytes": 9}}}, 5),
        ({"float64": 1e-9}, 6),
        ({"float32": 1e-3}, 7),
    ],
)
def test_each_claim_can_fail(change, index):
    assert verdicts() == ["held"] * 8
    assert [i for i, word in enumerate(verdicts(**change)) if word == "failed"] == [index]


def test_cost_is_one_pair_by_operator():
    cost = lambda n: {
        kind: {"seconds": s * n, "bytes": n} for kind, s in (("hand", 1), ("autodiff", 4))
    }
    m = {f"conv, {n}": {"problem": "conv", "cost": cost(n)} for n in (1, 4)}
    assert EXPERIMENT.evidence(m)[4] == Pairs([3.0], [1.0])
