"""Known answers of the measures of the experiment losses."""

import numpy as np
import pytest

from experiments.framework.claim import NotJudged
from experiments.framework.experiment import Log
from experiments.framework.options import Options
from experiments.framework.splits import Splits
from experiments.framework.verdict import judge
from experiments.losses import EXPERIMENT, formulas
from experiments.losses.evidence import evidence
from experiments.losses.learning import ONE, TWO, odd, of_two_classes
from experiments.losses.measure import LOGITS
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


def test_one_logit_starts_and_learns_as_the_difference_of_two():
    x = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    train = odd(Images(x, np.where(x[:, 0] > 0, 3, 8).astype(np.int32)))
    assert set(train.y) == {0, 1}
    log = Log(lambda **values: None, lambda text: None, lambda text, share: None)
    splits = Splits(*[Images(x, np.where(x[:, 0] > 0, 3, 8).astype(np.int32))] * 3, classes=10)
    found = of_two_classes(Options(epochs=25, seeds=2, smoke=True), splits, log)
    assert found["equal"] == [128, 128]
    assert found["test"][ONE] == found["test"][TWO]
    assert np.mean(found["test"][ONE]) > 0.8


def held():
    """Measurements with which every claim holds."""
    validated = {"rate": 1.0, "validation": {"1": [0.9, 0.9]}}
    trained = lambda test, steps: {"test": test, "steps": list(steps), "all_steps": 900} | validated
    slow = trained([0.9, 0.901], (300, 310))
    return {
        "gradients": {
            "differences": {name: [8, 8] for name in PAIRS},
            **{name: [8, 8] for name in ("jacobians", "vanishing", "two logits")},
        },
        **{name: dict(slow) for name in PAIRS},
        "softmax, cross entropy": trained([0.95, 0.951], (100, 105)),
        LOGITS: {"equal": [1000, 1000]},
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
        (LOGITS, {"equal": [800, 1000]}, 4),
        ("softmax, squared error", {"steps": [90, 95]}, 5),
        ("identity, squared error", {"steps": [90, 95]}, 6),
        ("softmax, squared error", {"test": [0.96, 0.962]}, 7),
    ],
)
def test_each_claim_can_fail(name, change, index):
    m = held()
    assert verdicts(m) == ["held"] * 8
    m[name] = m[name] | change
    assert [i for i, word in enumerate(verdicts(m)) if word != "held"] == [index]
    assert verdicts(m)[index] == "failed"


def test_the_rival_is_chosen_by_validation_accuracy():
    m = held()
    m["identity, squared error"] |= {"test": [0.96, 0.962]}
    assert verdicts(m)[7] == "held"
    m["identity, squared error"] |= {"validation": {"1": [0.95, 0.95]}}
    assert verdicts(m)[7] == "failed"


def test_a_bound_of_steps_is_judged_where_it_is_evidence():
    m = held()
    m["identity, squared error"]["steps"] = [None, 945]
    assert verdicts(m)[6] == "held"
    m["softmax, cross entropy"]["steps"] = [None, 105]
    assert verdicts(m)[6] == "not judged"


def test_a_missing_part_leaves_claims_unjudged():
    assert all(isinstance(each, NotJudged) for each in evidence({"gradients": {}}))
