"""fcnn train, evaluate, predict and verify: from files to results; each mistake in one line."""

import errno
import io
import json
import os
import re
import shutil

import jax
import numpy as np
import pytest
from PIL import Image

from fcnn import data, training
from fcnn.cli import main
from fcnn.cli.train import packages
from fcnn.cli.train.call import written
from fcnn.cli.train.trained import trained

RNG = np.random.default_rng(0)
MLP = "mlp(hidden=(8,))"


@pytest.fixture(autouse=True, scope="module")
def _settings(tmp_path_factory):
    """Standard promotion, which optax needs, and a cache folder for decoded images."""
    with pytest.MonkeyPatch.context() as patch, jax.numpy_dtype_promotion("standard"):
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Twenty images of 6×5 pixels in each of two folders: one bright on the left, one right."""
    folder = tmp_path_factory.mktemp("photos")
    for name, left in (("left", True), ("right", False)):
        (folder / name).mkdir()
        for i in range(20):
            pixels = RNG.integers(0, 90, (6, 5, 3), np.uint8)
            pixels[:, : 2 if left else -2] += 160 if left else 0
            pixels[:, 3:] += 0 if left else 160
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    """A run over the images, and the text that it printed."""
    folder = tmp_path_factory.mktemp("run") / "run"
    command = ["train", MLP, str(photos), "--output", str(folder), "--batch-size", "6"]
    command += ["--validation", "0.25", "--epochs", "8", "--learning-rate", "0.02"]
    command += ["--keep-best", "accuracy", "--augment", "shift(1)"]
    assert main(command) == 0
    return folder, command


def arrays(tmp_path, **changes):
    """A file of 40 examples with 3 features, whose label is the sign of the first one."""
    x = RNG.normal(size=(40, 3)).astype(np.float32)
    given = {"x": x, "y": (x[:, 0] > 0).astype(np.int64)} | changes
    path = tmp_path / "data.npz"
    np.savez(path, **{name: a for name, a in given.items() if a is not None})
    return path


def lines(capsys):
    printed = capsys.readouterr()
    return printed.out.splitlines(), printed.err.splitlines()


def test_images_are_trained_evaluated_predicted_and_verified(run, photos, capsys):
    folder, _ = run
    results = json.loads((folder / "results.json").read_text())
    assert (results["part"], results["examples"]) == ("validation", 10)
    assert results["accuracy"] >= 0.9
    assert np.trace(results["confusion"]) == round(results["accuracy"] * 10)
    assert "<html" in (folder / "report.html").read_text()
    assert main(["evaluate", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == results
    assert main(["evaluate", str(folder), "--data", str(photos)]) == 0
    out, _ = lines(capsys)
    assert re.fullmatch(r"examples of step \d+: accuracy \d+.\d%, loss .*, 40 examples", out[0])
    assert out[2].split() == ["predicted", "left", "right"]
    assert main(["verify", str(folder)]) == 0
    out, _ = lines(capsys)
    assert len(out) == len(training.Checkpoints(folder / "checkpoints").steps())
    assert all(": intact, " in line for line in out)


def test_a_prediction_uses_the_preprocessing_of_the_training(run, photos, capsys):
    folder, _ = run
    paths = [str(photos / "left" / "3.png"), str(photos / "right" / "7.png")]
    assert main(["predict", str(folder), *paths, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    model, images = trained(folder, "best"), data.image_folder(photos)
    x = images.x[[images.files.index("left/3.png"), images.files.index("right/7.png")]]
    logits = training.predict(model.recipe.model, model.params, model.state, x)
    expected = np.asarray(jax.nn.softmax(logits))
    assert [row["image"] for row in found] == paths
    shares = [list(row["probabilities"].values()) for row in found]
    np.testing.assert_allclose(shares, expected, rtol=1e-6)
    mean, deviation = model.config["mean"], model.config["deviation"]
    hidden = (x / 255 - mean) / deviation
    w, b = (np.asarray(model.params["dense1"][name]) for name in "wb")
    second, c = (np.asarray(model.params["dense2"][name]) for name in "wb")
    by_hand = np.maximum(hidden.reshape(2, -1) @ w + b, 0) @ second + c
    np.testing.assert_allclose(logits, by_hand, rtol=1e-5, atol=1e-5)
    assert main(["predict", str(folder), *paths]) == 0
    out, _ = lines(capsys)
    assert out[0].startswith(f"{paths[0]}: left ")
    assert out[1].startswith(f"{paths[1]}: right ")


def test_an_image_that_cannot_be_read_stops_no_other(run, photos, tmp_path, capsys):
    folder, _ = run
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    paths = [tmp_path / "broken.png", tmp_path / "none.png", photos / "left" / "3.png"]
    assert main(["predict", str(folder), *map(str, paths)]) == 2
    out, err = lines(capsys)
    assert [line.partition(": ")[0] for line in out] == [str(paths[2])]
    assert len(err) == 2
    assert all(
        line.startswith(f"fcnn predict: {path}: ") for line, path in zip(err, paths, strict=False)
    )


def test_the_same_command_finds_the_run_ended(run, capsys):
    folder, command = run
    before = (folder / "metrics.jsonl").read_text(), (folder / "results.json").read_text()
    assert main(command) == 0
    out, _ = lines(capsys)
    assert out[0] == "continues from step 40"
    assert re.match(r"validation of step \d+: accuracy", out[-2])
    after = (folder / "metrics.jsonl").read_text(), (folder / "results.json").read_text()
    assert after == before
    steps = [json.loads(line)["step"] for line in before[0].splitlines()]
    assert steps == [5, 10, 15, 20, 25, 30, 35, 40]


def test_another_command_is_refused_with_all_differences(run, capsys):
    _, command = run
    changed = [word.replace("(8,)", "(9,)").replace("0.02", "0.03") for word in command]
    assert main([*changed, "--seed", "1", "--epochs", "9"]) == 2
    _, err = lines(capsys)
    assert err[0].startswith("fcnn train: ")
    assert "was saved by another run; use another folder" in err[0]
    listed = [line.partition(":")[0].strip() for line in err[1:]]
    assert listed[:4] == ["model", "mean", "deviation", "learning rate"]
    assert {"seed", "examples", "params/dense1/w", "opt_state/0/mu/dense2/w"} <= {*listed}
    assert "epochs" not in "".join(err)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--step", "7"], "no checkpoint of step 7; expected tested, last, best or one of"),
        (["--data", "digits"], "x is uint8 of shape"),
    ],
    ids=["step", "data"],
)
def test_a_step_or_data_of_another_run_are_refused(words, message, run, capsys):
    assert main(["evaluate", str(run[0]), *words]) == 2
    out, err = lines(capsys)
    assert (out, len(err)) == ([], 1)
    assert re.match(f"fcnn evaluate: .*({message})", err[0])


def test_a_longer_run_continues(run, tmp_path, capsys):
    """A run of more epochs has the same steps, unless the schedule depends on their number."""
    folder, command = run
    shutil.copytree(folder, tmp_path / "run")
    longer = [*command, "--output", str(tmp_path / "run"), "--epochs", "9"]
    assert main(longer) == 0
    out, _ = lines(capsys)
    assert out[0] == "continues from step 40"
    assert "step 45 of 45: " in "\n".join(out)
    assert main([*longer, "--schedule", "cosine"]) == 2
    _, err = lines(capsys)
    assert "  schedule: constant before, cosine now" in err
    assert "  steps: absent before, 45 now" in err


def test_damage_is_named_and_the_checkpoint_before_is_used(run, tmp_path, capsys):
    folder, command = run
    shutil.copytree(folder, tmp_path / "run")
    checkpoints = tmp_path / "run" / "checkpoints"
    (checkpoints / "40" / "receipt.json").write_text("{}")
    assert main(["verify", str(tmp_path / "run")]) == 1
    out, _ = lines(capsys)
    assert out[-1] == f"{checkpoints / '40'}: damaged: receipt.json is not what was written"
    assert main(["evaluate", str(tmp_path / "run"), "--step", "40"]) == 2
    _, err = lines(capsys)
    assert "is damaged: receipt.json is not what was written; write --step N with another" in err[0]
    assert main([*command, "--output", str(tmp_path / "run")]) == 0
    out, _ = lines(capsys)
    assert out[0].startswith("step 40 is damaged: receipt.json is not what was written; renamed")
    assert out[1] == "continues from step 35"
    sums = lambda root: json.loads((root / "40" / "receipt.json").read_text())["receipt"]["arrays"]
    assert sums(checkpoints) == sums(folder / "checkpoints")


def test_every_option_of_training_is_used(tmp_path, capsys):
    """Training with all of them at once, and a test with the averaged weights."""
    x = RNG.integers(0, 255, (48, 4, 4, 1), dtype=np.uint8)
    y = (x[:, :2].mean((1, 2, 3)) > x[:, 2:].mean((1, 2, 3))).astype(np.int32)
    path = arrays(tmp_path, x=x[:32], y=y[:32], x_test=x[32:], y_test=y[32:], classes=["a", "b"])
    folder = tmp_path / "run"
    words = "--epochs 4 --batch-size 8 --optimizer adamw --schedule cosine --warm-up 2 --clip 1 "
    words += "--weight-decay 0.01 --decay-all --label-smoothing 0.1 --accumulate 2 --average 0.9 "
    words += "--precision float16 --not-finite skip --early-stopping 3 --every 3 --keep 3 "
    words += "--keep-every 6 --tensorboard --augment flip(0.5) mixup(0.2)"
    command = ["train", "mlp((8,))", str(path), "--output", str(folder), *words.split()]
    assert main(command) == 0
    out, err = lines(capsys)
    assert err == []
    assert re.match(r"test of step 12: accuracy \d+.\d%, loss .*, 16 examples", out[-2])
    receipt = training.Checkpoints(folder / "checkpoints").read_receipt(12)
    assert receipt.config["steps"] == 12
    assert receipt.config["classes"] == ["a", "b"]
    model = trained(folder, "last")
    raw = training.Checkpoints(folder / "checkpoints").arrays(receipt, "params/")
    assert not np.array_equal(model.params["dense1"]["w"], raw["params/dense1/w"])
    assert [*(folder / "tensorboard").iterdir()]
    assert main(command) == 0


def test_tokens_with_lengths_and_numbers_as_targets(tmp_path, capsys):
    """Side inputs are further arrays, with the endings of the parts."""
    tokens = RNG.integers(0, 5, (20, 4))
    given = {"x": tokens, "y": tokens[:, 0] % 2, "lengths": RNG.integers(1, 5, 20)}
    given |= {f"{name}_validation": a[:8] for name, a in given.items()}
    options = ["--epochs", "1", "--batch-size", "10", "--output", str(tmp_path / "text")]
    (tmp_path / "net.py").write_text(MODEL)
    model = f"{tmp_path / 'net.py'}:text"
    assert main(["train", model, str(arrays(tmp_path, **given)), *options]) == 0
    assert "validation of step 2: accuracy" in capsys.readouterr().out
    y = RNG.normal(size=(40, 2)).astype(np.float32)
    options = ["--epochs", "1", "--output", str(tmp_path / "numbers"), "--batch-size", "9"]
    assert main(["train", MLP, str(arrays(tmp_path, y=y)), *options]) == 0
    assert re.search(r"validation of step 4: loss \d.*, 4 examples", capsys.readouterr().out)
    options[3] = str(tmp_path / "one")
    assert main(["train", MLP, str(arrays(tmp_path, y=y[:, 0])), *options]) == 0


def test_a_loss_that_is_not_finite_is_named_saved_and_replayed(tmp_path, capsys):
    x = RNG.normal(size=(40, 3)).astype(np.float32)
    x[17, 1] = np.nan
    path, folder = arrays(tmp_path, x=x), tmp_path / "run"
    command = ["train", MLP, str(path), "--output", str(folder), "--batch-size", "4"]
    command += ["--validation", "0", "--epochs", "2"]
    assert main(command) == 1
    _, err = lines(capsys)
    (step,) = re.findall(r"x\[17, 1\] is nan in step (\d+)", err[0])
    saved = folder / "checkpoints" / f"{int(step) - 1}"
    assert err[1].startswith(f"fcnn train: the last checkpoint is {saved}; --replay {step} shows")
    assert main([*command, "--replay", step]) == 1
    out, _ = lines(capsys)
    assert out[0] == f"from {saved}"
    assert re.match(
        rf"step {step}: first not finite: entry x of the batch, 1 of 12 entries is NaN", out[-1]
    )
    assert main([*command, "--replay", step, "--seed", "1"]) == 2
    assert lines(capsys)[1][1:] == ["  seed: 0 before, 1 now"]
    skipping = [*command, "--not-finite", "skip", "--output", str(tmp_path / "skip")]
    assert main(skipping) == 0
    assert "skipped 1" in capsys.readouterr().out


def test_a_wrong_number_of_outputs_is_refused(tmp_path, capsys):
    (tmp_path / "net.py").write_text(MODEL)
    options = [str(arrays(tmp_path)), "--output", str(tmp_path / "run"), "--batch-size", "8"]
    assert main(["train", f"{tmp_path / 'net.py'}:net(classes=3)", *options]) == 2
    expected = "fcnn train: the model has 3 outputs, but the data have 2 classes"
    assert lines(capsys)[1] == [expected]


def test_a_dry_run_makes_nothing(photos, tmp_path, capsys):
    options = ["--output", str(tmp_path / "run"), "--batch-size", "6", "--dry-run"]
    assert main(["train", MLP, str(photos), *options]) == 0
    out, _ = lines(capsys)
    numbers = (90 + 1) * 8 + (8 + 1) * 2
    sizes = dict(re.findall(r"^(.*\S)  +([\d.]+ \S+)$", "\n".join(out), re.MULTILINE))
    width = 8 if jax.config.values["jax_enable_x64"] else 4
    assert sizes["parameters"] == f"{numbers * width / 1024:.4g} KiB"
    assert float(sizes["optimizer state"].split()[0]) > 2 * numbers * width / 1024
    assert out[-1] == "It fits."
    assert not (tmp_path / "run").exists()
    assert main(["train", "mlp(hidden=(3000000, 3000000))", str(photos), *options]) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("It does not fit: try a smaller")


MODEL = """
from fcnn.layers import dense, embedding, global_avg_pool, relu, serial  # a comment

def net(width=4, classes=2):
    return serial(dense(width), relu(), dense(classes))

def text(classes):
    return serial(embedding(5, 4), global_avg_pool(), dense(classes))

def number():
    return 3
"""


def test_a_model_of_a_file_is_kept_apart_from_a_changed_one(tmp_path, capsys):
    file, folder = tmp_path / "net.py", tmp_path / "run"
    file.write_text(MODEL)
    options = [str(arrays(tmp_path)), "--epochs", "1", "--output", str(folder)]
    options += ["--batch-size", "8"]
    assert main(["train", f"{file}:net(width=5)", *options]) == 0
    file.write_text(MODEL.replace("  # a comment", ""))
    assert main(["train", f"{file}:net(width=5)", *options]) == 0
    capsys.readouterr()
    file.write_text(MODEL.replace("relu()", "relu(), relu()"))
    assert main(["train", f"{file}:net(width=5)", *options]) == 2
    assert "  model source: " in capsys.readouterr().err
    assert main(["evaluate", str(folder)]) == 2
    assert "has changed since the training of" in capsys.readouterr().err


MISUSE = [  # words with {file}, {folder}; error message
    (["train", "cnnn", "digits"], "unknown model 'cnnn'; expected one of cnn, .*did you mean cnn"),
    (["train", "mlp", "digit"], "unknown data 'digit'; expected one of .*did you mean digits"),
    (["train", "mlp", "none/there"], "there is no folder 'none/there'; expected one of digits"),
    (["train", "mlp(hidden=x)", "digits"], "arguments must be numbers, strings, tuples or lists"),
    (["train", "mlp(", "digits"], r"'mlp\(' is not a name or a call"),
    (["train", "mlp(hiden=(3,))", "digits"], "unexpected keyword argument 'hiden'"),
    (["train", "{file}", "digits"], r"write .*net.py:FUNCTION, with a function that returns"),
    (["train", "{file}:nett", "digits"], "has no function nett; it has net, text, number"),
    (["train", "{file}:number", "digits"], "returns a int, not a layer"),
    (["train", "none.py:net", "digits"], "there is no file none.py"),
    (["train", "mlp", "digits", "--epochs", "0"], "--epochs 0 must be at least 1"),
    (
        ["train", "mlp", "digits", "--batch-size", "9999"],
        "exceeds the 1293 training examples; write 1293",
    ),
    (["train", "mlp", "digits", "--validation", "1"], "--validation 1.0 must be from 0 to below 1"),
    (["train", "mlp", "digits", "--learning-rate", "-1"], "--learning-rate -1.0 must be above 0"),
    (["train", "mlp", "digits", "--keep-best", "loss", "--validation", "0"], "needs validation"),
    (["train", "mlp", "digits", "--early-stopping", "3", "--validation", "0"], "needs validation"),
    (
        ["train", "mlp", "digits", "--accumulate", "5"],
        "--batch-size 64 is not a multiple of --accumulate 5",
    ),
    (["train", "mlp", "digits", "--augment", "flop"], "--augment: unknown 'flop'; .*mean flip"),
    (["train", "mlp", "digits", "--augment", "flip(1,2,3)"], r"--augment flip\(1,2,3\): .*takes"),
    (["train", "mlp", "digits", "--schedule", "plateau", "--warm-up", "3"], "warm-up"),
    (["train", "mlp", "mnist"], "mnist: .*data.dir"),
    (["train", "mlp", "{folder}"], "{folder}"),
    (["train", "mlp", "{file}"], "there is no folder|expected one of digits"),
    (["train", "lstm", "digits"], "lstm"),
    (["train", "mlp", "digits", "--replay", "3", "--output", "none"], "no checkpoint before it"),
    (["evaluate", "{folder}"], "is not the folder of a run: there is no .*run.json"),
    (["predict", "{folder}", "a.png"], "is not the folder of a run"),
    (["verify", "{folder}"], "there are no checkpoints in"),
]


@pytest.mark.parametrize(("words", "message"), MISUSE, ids=lambda value: "-".join(value)[:40])
def test_a_mistake_gives_one_line(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(MODEL)
    (tmp_path / "folder").mkdir()
    places = {"file": tmp_path / "net.py", "folder": tmp_path / "folder"}
    assert main([word.format(**places) for word in words]) == 2
    out, err = lines(capsys)
    assert out == []
    assert len(err) == 1, err
    assert re.search(message.format(**places), err[0])
    assert err[0].startswith(f"fcnn {words[0]}: ")
    left = {path.name for path in tmp_path.iterdir()} - {"__pycache__"}  # Python's, of net.py
    assert left == {"folder", "net.py"}


FILES = [
    ({"y": None}, "has no array y; it has x"),
    ({"x": None}, "has no array x; it has y"),
    ({"x_test": np.zeros((4, 3), np.float32)}, "has no array y_test; it has x, y, x_test"),
    ({"y": np.arange(39) % 2}, "x has 40 examples, but y has 39"),
    ({"classes": np.array(["one"])}, "1 classes, but labels from 0 to 1; there must be"),
    ({"y": -np.ones(40, int)}, "y has the label -1; labels begin at 0"),
    ({"y": np.zeros(40, int)}, "1 classes, but labels from 0 to 0; there must be at least 2"),
    ({"x": np.float32(3)}, "x is one number, without an axis of examples"),
    ({"y": np.array([0, 5000] * 20)}, "y has the label 5000, but there are 40 labels"),
    ({"x_test": np.zeros((4, 2), np.float32), "y_test": np.zeros(4, int)}, "x of the test part is"),
    ({"x_test": np.zeros((4, 3)), "y_test": np.zeros(4)}, "x of the test part is float64"),
    ({"more": np.zeros(40)}, "'more' is not read"),
]


@pytest.mark.parametrize(("changes", "message"), FILES, ids=lambda value: "-".join(value)[:40])
def test_a_file_that_does_not_fit_gives_one_line(changes, message, tmp_path, capsys):
    path = arrays(tmp_path, **changes)
    command = ["train", MLP, str(path), "--output", str(tmp_path / "run"), "--batch-size", "8"]
    assert main(command) == 2
    _, err = lines(capsys)
    assert len(err) == 1, err
    assert message in err[0]


def test_labels_of_one_byte_may_have_256_classes(tmp_path, capsys):
    y = np.arange(256, dtype=np.uint8)
    path = arrays(tmp_path, x=np.zeros((256, 2), np.float32), y=y)
    assert main(["train", MLP, str(path), "--output", str(tmp_path / "run"), "--dry-run"]) == 0
    assert re.search(r"^dense2 +\(256,\)", capsys.readouterr().out, re.MULTILINE)


def test_results_that_are_not_finite_are_null_and_end_with_1(tmp_path, capsys):
    x = np.full((4, 3), np.nan, np.float32)
    path, folder = arrays(tmp_path, x_test=x, y_test=np.zeros(4, np.int64)), tmp_path / "run"
    command = ["train", MLP, str(path), "--output", str(folder), "--batch-size", "8"]
    assert main([*command, "--epochs", "1"]) == 1
    assert "loss not finite, 4 examples" in capsys.readouterr().out
    assert json.loads((folder / "results.json").read_text())["loss"] is None
    assert main(["evaluate", str(folder)]) == 1
    names = arrays(tmp_path, classes=["b", "a"])
    assert main(["evaluate", str(folder), "--data", str(names)]) == 2
    err = lines(capsys)[1]
    assert err[-1].endswith("the classes are b, a, but the model has 0, 1")


def test_files_are_written_though_standard_output_fails(tmp_path, monkeypatch):
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

        def fileno(self):
            return os.open(os.devnull, os.O_WRONLY)

    folder = tmp_path / "run"
    monkeypatch.setattr("sys.stdout", Closed())
    command = ["train", MLP, str(arrays(tmp_path)), "--output", str(folder), "--batch-size", "8"]
    assert main([*command, "--epochs", "1"]) == 141
    assert json.loads((folder / "results.json").read_text())["loss"] > 0


def test_a_signal_while_a_file_is_imported_ends_with_its_code(tmp_path, capsys):
    text = "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n"
    (tmp_path / "net.py").write_text(text)
    assert main(["train", f"{tmp_path / 'net.py'}:net", str(arrays(tmp_path))]) == 143
    assert lines(capsys)[1] == ["fcnn train: interrupted"]


def test_an_error_in_a_model_is_one_line(tmp_path, capsys):
    (tmp_path / "net.py").write_text(
        "from fcnn.layers import Layer\n\n"
        "def forward(params, state, x, call):\n    return {}['key']\n\n"
        "def net():\n"
        "    setup = lambda key, x, plan: ({}, {}, x)\n"
        "    return Layer('broken', setup, forward)\n"
    )
    y = RNG.normal(size=(40, 3)).astype(np.float32)
    options = ["--output", str(tmp_path / "run"), "--batch-size", "8"]
    assert main(["train", f"{tmp_path / 'net.py'}:net", str(arrays(tmp_path, y=y)), *options]) > 0
    (line,) = lines(capsys)[1]
    assert "key" in line


def test_calls_are_parsed_as_python():
    call = written("cnn((16, 32), dropout=0.2, gap=True)")
    assert (call.name, call.args, call.options) == (
        "cnn",
        ((16, 32),),
        {"dropout": 0.2, "gap": True},
    )
    assert str(call) == "cnn((16, 32), dropout=0.2, gap=True)"
    assert str(written(" mlp ")) == "mlp()"


def test_a_missing_package_is_named(monkeypatch, capsys):
    monkeypatch.setattr(packages, "PACKAGES", {"orbax": "a", "no_such_package": "b"})
    assert main(["train", "mlp", "digits"]) == 2
    _, err = lines(capsys)
    assert err == [f"fcnn train: needs b; run {packages.install('train')}"]
