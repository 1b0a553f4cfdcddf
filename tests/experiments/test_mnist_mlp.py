"""Known answers of the measures of the experiment mnist_mlp."""

import numpy as np
import pytest

from experiments.framework.runner import main
from experiments.framework.verdict import judge
from experiments.mnist_mlp import EXPERIMENT, evidence
from experiments.mnist_mlp.measure import WITH, WITHOUT, confusion_of, most_wrong

LOGITS = np.log(
    [
        [[0.7, 0.2, 0.1], [0.9, 0.05, 0.05], [0.1, 0.1, 0.8], [0.6, 0.3, 0.1]],
        [[0.7, 0.1, 0.2], [0.8, 0.1, 0.1], [0.2, 0.1, 0.7], [0.1, 0.8, 0.1]],
    ]
)
Y = np.array([0, 1, 2, 2])


def test_the_confusion_matrix_counts_labels_in_rows_and_predictions_in_columns():
    np.testing.assert_array_equal(confusion_of(LOGITS, Y), [[2, 0, 0], [2, 0, 0], [1, 1, 2]])


def test_the_most_wrong_images_have_the_smallest_probability_of_their_label():
    x = np.arange(4.0).reshape(4, 1, 1, 1) / 3
    first, second = most_wrong(LOGITS, x, Y)
    assert (first["label"], first["predicted"], first["pixels"]) == (1, 0, [[85]])
    assert first["probability"] == pytest.approx(0.075)
    assert (second["label"], second["predicted"]) == (2, 1)
    assert second["probability"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("dataset", "test", "verdict"),
    [
        ("digits", [0.99, 0.99], "not judged"),
        ("mnist", [0.979, 0.979], "failed"),
        ("mnist", [0.981, 0.981], "held"),
    ],
)
def test_98_percent_is_judged_on_mnist_only(dataset, test, verdict):
    result = {"dataset": dataset, "test": test, "train": [1.0, 1.0]}
    worse = {**result, "test": [0.97, 0.971]}
    found = judge(EXPERIMENT.claims, evidence({WITH: result, WITHOUT: worse}))
    assert found[0].verdict == verdict
    if dataset == "digits":
        assert found[0].evidence.endswith("not MNIST; run with --full --data-dir DIR")


@pytest.mark.parametrize(
    ("change", "index"),
    [({"test": [0.97, 0.97], "train": [0.979, 0.979]}, 0), ({"train": [1.1, 1.1]}, 1)],
)
def test_each_claim_can_fail(change, index):
    good = {"dataset": "mnist", "test": [0.985, 0.985], "train": [0.99, 0.99]}
    m = {WITH: good, WITHOUT: good | {"train": [1.0, 1.0]}}
    verdicts = lambda m: [v.verdict for v in judge(EXPERIMENT.claims, evidence(m))]
    assert verdicts(m) == ["held", "held"]
    changed = verdicts(m | {WITH: good | change})
    assert [i for i, word in enumerate(changed) if word != "held"] == [index]
    assert changed[index] == "failed"


def test_missing_images_are_one_line_and_misuse(tmp_path, capsys):
    options = ["--full", "--data-dir", str(tmp_path), "--output-dir", str(tmp_path / "runs")]
    assert main(EXPERIMENT, options) == 2
    err = capsys.readouterr().err
    assert err.startswith("mnist_mlp: ")
    assert str(tmp_path) in err
    assert err.count("\n") == 1
    assert not (tmp_path / "runs").exists()
