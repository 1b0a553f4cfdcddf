"""Known answers of the measures of the experiment losses."""

import numpy as np
import pytest

from experiments.framework.claim import NotJudged
from experiments.framework.verdict import judge
from experiments.losses import EXPERIMENT, formulas
from experiments.losses.evidence import evidence
from experiments.losses.learning import LOGITS, _sign_accuracy, odd
from experiments.losses.pairs import LOSSES, PAIRS
from fcnn.data import Images

pytestmark = pytest.mark.usefixtures("jax_defaults")


def test_a_wrong_formula_is_counted(monkeypatch):
    assert formulas.jacobians(2) == [8, 8]
    softmax = formulas.softmax
    monkeypatch.setattr(formulas, "softmax", lambda z: softmax(1.01 * z))
    assert formulas.jacobians(2)[0] < 8


def test_a_gradient_that_does_not_vanish_is_counted(monkeypatch):
    assert formulas.vanishing(2) == [16, 16]
    monkeypatch.setattr(formulas, "LOSSES", LOSSES[::-1])
    assert formulas.vanishing(2) == [0, 16]


def test_wrong_outputs_have_their_confidence():
    rest = np.random.default_rng(0).normal(size=(3, 4))
    odds = np.array([0.0, 3, 20])
    for name, (z, t) in formulas.wrong_outputs(odds, rest).items():
        y = PAIRS[f"{name}, cross entropy"].output(z)
        np.testing.assert_allclose(y[:, 0], 1 / (1 + np.exp(-odds)), rtol=1e-12)
        assert not t[:, 0].any()


def test_one_logit_predicts_by_its_sign():
    class Run:
        def outputs(self, x):
            return np.array([[[0.1], [-0.1], [2.0]], [[-1.0], [-1.0], [-1.0]]])

    images = odd(Images(np.zeros((3, 2, 2, 1)), np.array([3, 8, 8])), as_float=True)
    assert images.y.tolist() == [1, 0, 0]
    np.testing.assert_allclose(_sign_accuracy(images)(Run()), [2 / 3, 2 / 3])


def held():
    """Measurements with which every claim holds."""
    trained = lambda test, steps: {"test": test, "steps": list(steps), "all_steps": 900}
    slow = trained([0.9, 0.901], (300, 310))
    return {
        "gradients": {
            "differences": {name: [8, 8] for name in PAIRS},
            **{name: [8, 8] for name in ("jacobians", "vanishing", "two logits")},
        },
        **{name: dict(slow) for name in PAIRS},
        "softmax, cross entropy": trained([0.95, 0.951], (100, 105)),
        **{name: {"test": [0.9, 0.901]} for name in LOGITS},
    }


def verdicts(m):
    return [v.verdict for v in judge(EXPERIMENT.claims, EXPERIMENT.evidence(m))]


@pytest.mark.parametrize(
    ("name", "change", "index"),
    [
        ("gradients", {"differences": {name: [7, 8] for name in PAIRS}}, 0),
        ("gradients", {"jacobians": [7, 8]}, 1),
        ("gradients", {"vanishing": [7, 8]}, 2),
        ("gradients", {"two logits": [7, 8]}, 3),
        ("one logit, sigmoid", {"test": [0.88, 0.92]}, 4),
        ("softmax, squared error", {"steps": [90, 95]}, 5),
        ("identity, squared error", {"steps": [90, 95]}, 6),
        ("identity, squared error", {"test": [0.96, 0.962]}, 7),
    ],
)
def test_each_claim_can_fail(name, change, index):
    m = held()
    assert verdicts(m) == ["held"] * 8
    m[name] = m[name] | change
    assert [i for i, word in enumerate(verdicts(m)) if word != "held"] == [index]
    assert verdicts(m)[index] == "failed"


def test_a_missing_part_leaves_claims_unjudged():
    assert all(isinstance(each, NotJudged) for each in evidence({"gradients": {}}))
