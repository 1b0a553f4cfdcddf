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

from experiments import NAMES
from experiments.__main__ import main as run_named
from experiments.fc_vs_conv import EXPERIMENT
from experiments.fc_vs_conv.config import Config, resolved
from experiments.fc_vs_conv.measure import FEW, compiled, epochs_on, measure, parts
from experiments.fc_vs_conv.measured import Measured, Results, evidence
from experiments.framework.experiment import Log
from experiments.framework.seeds import shifted
from experiments.framework.trained import Trials
from experiments.framework.verdict import judge
from fcnn.data import Images

ROOT = Path(__file__).parents[2]


def start(*options):
    return started("-m", "experiments", *options, cwd=ROOT)


def run(*options):
    with start(*options) as process:
        out, err = process.communicate()
    return process.returncode, out, err


def main(options):
    return run_named(["fc_vs_conv", *options])


def only(folder):
    (found,) = (folder / "fc_vs_conv").iterdir()
    return found


def test_a_smoke_run_writes_all_files(tmp_path):
    code, out, err = run("fc_vs_conv", "--smoke", "--width", "4", "--output-dir", str(tmp_path))
    assert (code, err) == (0, "")
    folder = only(tmp_path)
    assert str(folder / "report.html") in out.replace("\n", "")
    files = {p.name for p in folder.iterdir()}
    names = ("by_network", "by_shift", "by_images", "accuracy_by_images")
    pictures = {f"{name}.{kind}" for name in names for kind in ("svg", "png")}
    texts = {
        "report.html",
        "results.csv",
        "results.json",
        "metrics.jsonl",
        "parts.jsonl",
        "receipt.json",
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
    assert page.count('<figure class="plot"') == 4
    assert not re.search(r'(src|href)="(?!#|data:)', page)  # the page loads no other file
    first = json.loads((folder / "parts.jsonl").read_text().splitlines()[0])["result"]
    assert first["shown"]["weights"] in page
    assert "weights" not in results["networks"]["dense"]
    assert page.count("not judged: smoke run") == 3


def test_an_interrupt_keeps_finished_results(tmp_path):
    few = ("--networks", "dense", "conv3", "--epochs", "3")
    scored = '"network": "dense", "images": 1437, "all": true'
    with start("fc_vs_conv", *few, "--output-dir", str(tmp_path)) as process:
        while process.poll() is None:
            finished = list(tmp_path.glob("fc_vs_conv/*/parts.jsonl"))
            if finished and scored in finished[0].read_text():
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
    page = (folder / "report.html").read_text()
    assert "Interrupted. The results below" in page
    assert page.count("not judged: interrupted") == 3


def test_a_loss_that_is_not_finite_stops_the_run_with_a_message(tmp_path):
    options = ("--smoke", "--networks", "dense", "--optimizer", "sgd", "--learning-rate", "1e30")
    code, out, err = run("fc_vs_conv", *options, "--output-dir", str(tmp_path))
    message = "the loss of dense is nan with 200 images; lower the learning rate, 1e+30"
    assert (code, err) == (3, f"fc_vs_conv: {message}\n")
    assert "No part was finished" in out
    assert "nan" not in (only(tmp_path) / "parts.jsonl").read_text()


def test_missing_data_gives_one_line_and_exit_code_2(tmp_path):
    code, out, err = run("fc_vs_conv", "--dataset", "mnist", "--data-dir", str(tmp_path))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "train-images-idx3-ubyte: no such file" in err


def test_without_a_name_the_experiments_are_listed():
    code, out, _ = run()
    assert code == 0
    assert "  fc_vs_conv: Fully connected against convolutional" in out
    assert "    Held: Convolution beats dense at equal size.\n" in out
    assert out.index("  fc_vs_conv: ") < out.index("  checkers: ") < out.index("  speed: ")


def test_an_unknown_name_gives_exit_code_2():
    code, _, err = run("fc_vs_cnv")
    assert code == 2
    known = ", ".join(map(repr, (*NAMES, "all", "judge", "keep", "table")))
    hint = "did you mean fc_vs_conv?"
    assert err == f"experiments: unknown name 'fc_vs_cnv'; expected one of {known}; {hint}\n"


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
        (
            ["--networks", "conv_1"],
            "--networks: unknown 'conv_1'; expected some of dense, conv1, conv2, conv3, conv3-gap; "
            "did you mean conv1?",
        ),
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
    assert "taken cannot be written: Not a directory; write --output-dir" in err
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


def test_help_lists_the_networks_in_order(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "(default: dense conv1 conv2 conv3 conv3-gap)" in text
    assert "None" not in text


def measured(test, shift, few):
    return Measured(
        100, 100, 100, test, [1.0] * len(test), {0: test, 2: shift}, {50: few}, {50: [1.0] * 3}
    )


def verdicts(**networks):
    return [v.verdict for v in judge(EXPERIMENT.claims, evidence(Results(networks)))]


def test_claims_hold_for_good_results_and_fail_for_bad_results():
    good, bad = [0.99, 0.98, 0.985], [0.9, 0.91, 0.9]
    conv, dense = measured(good, good, good), measured(bad, [0.2, 0.2, 0.3], bad)
    assert verdicts(dense=dense, conv3=conv) == ["held"] * 3
    assert verdicts(dense=conv, conv3=dense) == ["failed"] * 3
    assert verdicts(dense=dense) == ["not judged"] * 3


def test_a_missing_result_gives_no_verdict():
    bare = Measured(1, 1, 1, [0.9] * 3, [1.0] * 3, {0: [0.9] * 3})
    assert verdicts(dense=bare, conv3=bare) == ["undecided", "not judged", "not judged"]


class Sealed:
    """Test images that raise when they are read before the training of a network has ended."""

    def __init__(self, images):
        self.images, self.open, self.reads = images, False, 0

    def __call__(self):
        assert self.open, "the test images were read before training has ended"
        self.reads += 1
        return self.images


@pytest.fixture
def sealed(monkeypatch):
    """A prepared smoke run with sealed test images, which are open after each training only."""
    config, prepared = EXPERIMENT.prepare(Config(smoke=True, seeds=2, width=4))
    test = Sealed(prepared.test())
    train, images = Trials.train, []

    def trained(trials, **options):
        test.open = False
        with pytest.raises(AssertionError, match="before training"):
            test()
        found = train(trials, **options)
        images.append(trials.n)
        test.open = True
        return found

    monkeypatch.setattr(Trials, "train", trained)
    return config, prepared._replace(test=test), images


@pytest.mark.usefixtures("jax_defaults")
def test_test_images_are_read_only_after_training_and_training_has_none(sealed):
    config, prepared, images = sealed
    log = Log(lambda **_: None, lambda _: None, lambda *_: None)
    todo = [part for part in parts(config, prepared) if part.payload]
    finished = [name for name, _ in measure(config, prepared, todo, log)]
    assert finished == [part.name for part in todo]
    assert prepared.test.reads == len(todo)
    assert images == [len(prepared.train.y)] * len(todo)


def test_reading_test_images_early_is_found(sealed, monkeypatch):
    """The control: a training that reads the test images fails the test above."""
    config, prepared, _ = sealed
    early = lambda *of: prepared.test() and compiled(*of)
    monkeypatch.setitem(measure.__globals__, "compiled", early)
    log = Log(lambda **_: None, lambda _: None, lambda *_: None)
    with pytest.raises(AssertionError, match="read before training has ended"):
        list(measure(config, prepared, parts(config, prepared)[:1], log))


@pytest.mark.usefixtures("jax_defaults")
def test_results_do_not_depend_on_test_images(sealed):
    """With other test images, the accuracies on training images are equal."""
    config, prepared, _ = sealed
    log = Log(lambda **_: None, lambda _: None, lambda *_: None)
    todo = parts(config, prepared)[:1]
    (first,) = measure(config, prepared, todo, log)
    images = prepared.test.images
    prepared.test.images = Images(np.zeros_like(images.x), images.y)
    (second,) = measure(config, prepared, todo, log)
    assert first[1]["train"] == second[1]["train"]
    assert first[1]["test"] != second[1]["test"]


def test_shifted_moves_images_down_and_right():
    x = np.arange(9.0).reshape(1, 3, 3, 1)
    np.testing.assert_array_equal(
        shifted(x, np.array([1, 0]), 2)[0, :, :, 0], [[0, 0, 0], [0, 1, 2], [3, 4, 5]]
    )
    np.testing.assert_array_equal(
        shifted(x, np.array([0, -2]), 2)[0, :, :, 0], [[2, 0, 0], [5, 0, 0], [8, 0, 0]]
    )
    np.testing.assert_array_equal(shifted(x, np.array([0, 0]), 2), x)


@pytest.mark.parametrize(("size", "epochs"), [(1437, 30), (800, 14), (100, 165), (50, 165)])
def test_training_on_few_images_takes_a_share_of_the_steps(size, epochs):
    config = resolved(Config(epochs=30))
    assert epochs_on(size, config, 1437) == epochs
    steps = epochs * max(1, size // config.batch_size)
    assert size == 1437 or steps - 12 < 30 * (1437 // 64) / FEW <= steps
