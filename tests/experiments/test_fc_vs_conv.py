"""The experiment fc_vs_conv as a user runs it: new processes, scikit-learn's digits, Ctrl-C."""

import csv
import json
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from child import started

from experiments.fc_vs_conv import judge, main
from experiments.fc_vs_conv.config import Config, resolved
from experiments.fc_vs_conv.measure import Measured, schedule
from experiments.framework.claim import Claim
from experiments.framework.seeds import shifted

ROOT = Path(__file__).parents[2]


def start(*options):
    return started("-m", "experiments", *options, cwd=ROOT)


def run(*options):
    with start(*options) as process:
        out, err = process.communicate()
    return process.returncode, out, err


def only(folder):
    (found,) = (folder / "fc_vs_conv").iterdir()
    return found


def test_a_smoke_run_writes_all_files(tmp_path):
    code, out, err = run("fc_vs_conv", "--smoke", "--width", "4", "--output-dir", str(tmp_path))
    assert (code, err) == (0, "")
    folder = only(tmp_path)
    assert str(folder / "report.html") in out.replace("\n", "")
    files = {p.name for p in folder.iterdir()}
    pictures = {
        f"by_{what}.{kind}" for what in ("network", "shift", "images") for kind in ("svg", "png")
    }
    texts = {
        "report.html",
        "results.csv",
        "results.json",
        "metrics.jsonl",
        "config.json",
        "env.json",
    }
    assert files == pictures | texts

    results = json.loads((folder / "results.json").read_text())
    assert results["claims"] == []
    assert list(results["networks"]) == ["dense", "conv3"]
    for network in results["networks"].values():
        assert all(0 <= a <= 1 for a in network["test"] + network["train"])
        assert len(network["test"]) == len(network["few_test"]["100"]) == 2
        assert network["step_seconds"] > 0
        assert network["compile_seconds"] > 0
    with (folder / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    accuracies = [
        float(r["accuracy"]) for r in rows if r["network"] == "dense" and r["scored_on"] == "test"
    ]
    np.testing.assert_allclose(accuracies[:2], results["networks"]["dense"]["test"], atol=1e-6)

    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    losses = [np.mean(line["loss"]) for line in lines if "loss" in line]
    assert 0 < losses[0] < 5
    environment = json.loads((folder / "env.json").read_text())
    assert environment["packages"]["jax"]
    assert "fc_vs_conv --smoke" in environment["command"]

    page = (folder / "report.html").read_text()
    assert page.count("<svg") == 3
    assert not re.search(r'(src|href)="(?!#)', page)  # the page loads no other file
    assert "No claim is judged in this run" in page


def test_an_interrupt_keeps_finished_results(tmp_path):
    few = ("--networks", "dense", "conv3", "--epochs", "3")
    scored = '"network": "dense", "parameters"'
    with start("fc_vs_conv", *few, "--output-dir", str(tmp_path)) as process:
        while process.poll() is None:
            metrics = list(tmp_path.glob("fc_vs_conv/*/metrics.jsonl"))
            if metrics and scored in metrics[0].read_text():
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130, err
    assert "Interrupted. The report has the results that were finished before" in " ".join(
        out.split()
    )
    assert "Traceback" not in out + err
    folder = only(tmp_path)
    results = json.loads((folder / "results.json").read_text())
    assert results["stopped"] == "Interrupted"
    assert len(results["networks"]["dense"]["test"]) == 5
    assert results["claims"] == []
    assert "Interrupted. The results below" in (folder / "report.html").read_text()


def test_a_loss_that_is_not_finite_stops_the_run_with_a_message(tmp_path):
    options = ("--smoke", "--networks", "dense", "--optimizer", "sgd", "--learning-rate", "1e30")
    code, out, err = run("fc_vs_conv", *options, "--output-dir", str(tmp_path))
    assert (code, err) == (2, "")
    printed = " ".join(out.split())
    assert "Stopped: the loss of dense is nan with 1437 images; lower --learning-rate." in printed
    assert (only(tmp_path) / "report.html").exists()


def test_missing_data_gives_one_line_and_exit_code_2(tmp_path):
    code, out, err = run("fc_vs_conv", "--dataset", "mnist", "--data-dir", str(tmp_path))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "train-images-idx3-ubyte: no such file" in err


def test_without_a_name_the_experiments_are_listed():
    code, out, _ = run()
    assert code == 0
    assert "fc_vs_conv    Fully connected against convolutional" in out


def test_an_unknown_name_gives_exit_code_2():
    code, _, err = run("fc_vs_cnv")
    assert code == 2
    known = "'fc_vs_conv', 'checkers', 'speed'"
    assert err == f"experiments: unknown name 'fc_vs_cnv'; expected one of {known}\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seeds", "0"], "--seeds 0 must be at least 1"),
        (["--epochs", "-1"], "--epochs -1 must be at least 1"),
        (["--batch-size", "2000"], "--batch-size 2000 exceeds the 1437 training images"),
        (["--learning-rate", "0"], "--learning-rate 0.0 must be positive and finite"),
        (["--shift", "12"], "--shift 12 must be from 0 to 11; images are 12 pixels wide"),
        (
            ["--sizes", "10", "1437"],
            "--sizes (10, 1437): each must be at least 1 and below the 1437",
        ),
        (["--smoke", "--seeds", "0"], "--seeds 0 must be at least 1"),
        (["--frame", "-1"], "--frame -1 must be at least 0"),
        (["--width", "0"], "--width 0 must be at least 1"),
        (["--networks", "dense", "dense"], "--networks dense dense: a name occurs twice"),
        (["--networks"], "--networks needs at least one name"),
    ],
)
def test_a_bad_option_gives_an_error_of_one_line(options, message, capsys, tmp_path):
    assert main([*options, "--output-dir", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_output_folder_that_is_a_file_is_an_error(capsys, tmp_path):
    (tmp_path / "taken").write_text("")
    assert main(["--smoke", "--output-dir", str(tmp_path / "taken")]) == 2
    err = capsys.readouterr().err
    assert "taken: Not a directory" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("seconds", [0.3, 0.8, 1.5])
def test_an_interrupt_while_starting_ends_the_process_at_once(tmp_path, seconds):
    with start("fc_vs_conv", "--output-dir", str(tmp_path)) as process:
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode in (130, -signal.SIGINT), err  # -SIGINT: Python had no handler yet


def test_misspelt_options_exit_with_2(capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(["--seedz", "3"])
    assert exit_info.value.code == 2


def test_smoke_replaces_only_defaults():
    config = resolved(Config(smoke=True, networks=("conv1",), sizes=()))
    assert (config.networks, config.sizes, config.epochs) == (("conv1",), (), 1)


def measured(test, shift, few):
    return Measured(
        100, 100, 100, test, [1.0] * len(test), {0: test, 2: shift}, {50: few}, {50: [1.0] * 3}
    )


def test_claims_hold_for_good_results_and_fail_for_bad_results():
    good, bad = [0.99, 0.98, 0.985], [0.9, 0.91, 0.9]
    conv, dense = measured(good, good, good), measured(bad, [0.2, 0.2, 0.3], bad)
    assert [c.held for c in judge({"dense": dense, "conv3": conv})] == [True] * 3
    assert [c.held for c in judge({"dense": conv, "conv3": dense})] == [False] * 3
    assert judge({"dense": dense}) == []


def test_a_missing_result_gives_no_claim():
    bare = Measured(1, 1, 1, [0.9] * 3, [1.0] * 3, {0: [0.9] * 3})
    assert len(judge({"dense": bare, "conv3": bare})) == 1


def test_a_claim_holds_only_if_the_difference_exceeds_the_noise():
    assert Claim.paired("", "", [0.9, 0.8], [0.8, 0.9]).held is False
    assert Claim.paired("", "", [0.9, 0.91], [0.8, 0.81]).held is True
    assert Claim.paired("", "", [0.9], [0.8]).held is None


def test_shifted_moves_images_down_and_right():
    x = np.arange(9.0).reshape(1, 3, 3, 1)
    np.testing.assert_array_equal(
        shifted(x, np.array([1, 0]), 2)[0, :, :, 0], [[0, 0, 0], [0, 1, 2], [3, 4, 5]]
    )
    np.testing.assert_array_equal(
        shifted(x, np.array([0, -2]), 2)[0, :, :, 0], [[2, 0, 0], [5, 0, 0], [8, 0, 0]]
    )
    np.testing.assert_array_equal(shifted(x, np.array([0, 0]), 2), x)


def test_training_on_a_small_set_uses_only_images_of_that_set():
    config = resolved(Config(seeds=2, epochs=3, batch_size=8))
    seen = np.array([[3, 5, 7], [2, 4, 6]])
    blocks = list(schedule(config, seen, 100))
    rates = [rate for _, rate in blocks]
    assert rates[0] == config.learning_rate
    assert rates == sorted(rates, reverse=True)
    for indices, _ in blocks:
        assert indices.shape == blocks[0][0].shape
        assert set(indices[0].ravel()) == {3, 5, 7}
        assert set(indices[1].ravel()) == {2, 4, 6}
