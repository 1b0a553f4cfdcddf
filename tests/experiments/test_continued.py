"""A continued run has the options of the earlier one, and the environments of all its parts."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import toy

from experiments.__main__ import main
from experiments.framework.command_line import again

HERE = {
    **{"commit": "abcdef0123", "uncommitted changes": False, "device": "cpu × 1"},
    **{"processor": "Some", "cores": 2, "python": "3.11", "packages": {"jax": "1.0"}},
}


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """The facts of the machine, and experiment "sample", whose part 3 may diverge."""
    here = dict(HERE)
    monkeypatch.setattr("experiments.framework.run.machine_info", lambda: dict(here))
    monkeypatch.setattr("experiments.__path__", [str(tmp_path)])
    monkeypatch.setattr("experiments.__main__.NAMES", ("sample",))
    sample = replace(toy.TOY, name="sample")
    monkeypatch.setattr("experiments.__main__.load", {"sample": sample}.__getitem__)
    (tmp_path / "sample.py").touch()
    (tmp_path / "results").mkdir()
    monkeypatch.chdir(tmp_path)
    return here


def newest() -> Path:
    return max(Path("runs/sample").iterdir(), key=lambda path: path.stat().st_mtime_ns)


def stopped() -> Path:
    """A run of which two parts were finished, whose options are those of a run that ends."""
    assert main(["sample", "--mode", "diverges"]) == 3
    run = newest()
    for name in ("config.json", "receipt.json"):
        (run / name).write_text((run / name).read_text().replace('"diverges"', '"held"'))
    receipt = json.loads((run / "receipt.json").read_text())
    (run / "receipt.json").write_text(json.dumps(receipt | {"options": {}}))
    return run


@pytest.mark.parametrize(
    ("first", "message"),
    [
        (
            {"uncommitted changes": True, "commit": "1234567"},
            "uncommitted changes on commit 1234567",
        ),
        ({"commit": "1234567"}, "has parts of other runs: commit 1234567 → abcdef0"),
        ({"device": "gpu NVIDIA H200 × 1"}, "device gpu NVIDIA H200 × 1 → cpu × 1"),
        ({"processor": "Other"}, "processor Other → Some"),
        ({"packages": {"jax": "0.9"}}, "jax 0.9 → 1.0"),
    ],
)
def test_parts_of_other_code_or_another_machine_are_not_kept(first, message, machine, capsys):
    machine |= first
    run = stopped()
    machine |= HERE
    assert main(["sample", "--continue", str(run)]) == 0
    assert main(["sample", "--continue", str(newest())]) == 0  # measures nothing
    environments = json.loads((newest() / "results.json").read_text())["continued"]
    assert [each["commit"] for each in environments] == [(HERE | first)["commit"], "abcdef0123"]
    capsys.readouterr()
    assert main(["keep", str(newest())]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_a_run_that_is_continued_from_the_same_commit_is_kept(machine, capsys):
    assert main(["sample", "--continue", str(stopped())]) == 0
    assert main(["keep", str(newest())]) == 0
    path = newest() / "results.json"
    result = json.loads(path.read_text())
    del result["continued"]  # as of a run of before environments were recorded
    path.write_text(json.dumps(result))
    capsys.readouterr()
    assert main(["keep", str(newest())]) == 2
    assert "entry 'continued' is missing" in capsys.readouterr().err


def test_options_that_are_left_out_are_those_of_the_earlier_run(machine, capsys):
    options = ("--rate", "0.5", "--full", "--seeds", "3", "--mode", "failed")
    assert main(["sample", *options, "--output-dir", "elsewhere"]) == 1
    (run,) = Path("elsewhere/sample").iterdir()
    toy.CALLS.clear()
    assert main(["sample", "--continue", str(run)]) == 1
    assert toy.CALLS == []
    assert len([*Path("elsewhere/sample").iterdir()]) == 2
    assert not Path("runs").exists()
    capsys.readouterr()
    for given, changed in (("--rate 1", "--rate 0.5 → 1.0"), ("--no-full", "--full True → False")):
        assert main(["sample", "--continue", str(run), *given.split()]) == 2
        assert changed in capsys.readouterr().err


def test_an_output_folder_of_the_earlier_run_that_cannot_be_used_is_named(machine, capsys):
    run = stopped()
    config = json.loads((run / "config.json").read_text())
    Path("file").touch()
    (run / "config.json").write_text(json.dumps(config | {"output_dir": "file"}))
    assert main(["sample", "--continue", str(run)]) == 2
    err = capsys.readouterr().err.splitlines()[-1]
    assert "--output-dir file, of the earlier run, cannot be written" in err
    assert "write --output-dir DIR" in err


def test_the_command_that_measures_again(machine):
    command = "python -m experiments a"
    assert again("a", {}, {}) == command
    assert again("a", {"sizes": [1, 2], "smoke": True}, {}) == f"{command} --sizes 1 2 --smoke"
    mnist = {"dataset": "mnist", "data_dir": None}
    assert again("a", {"full": True}, mnist) == f"{command} --full --data-dir DIR"
    mnist["data_dir"] = Path("my data")
    assert again("a", {"dataset": "mnist"}, mnist) == (
        f"{command} --dataset mnist --data-dir 'my data'"
    )


def test_two_parts_with_one_name_are_misuse_before_a_folder_is_made(machine, capsys, monkeypatch):
    double = replace(toy.TOY, name="sample", parts=lambda c, p: toy.parts(c, p)[:1] * 2)
    monkeypatch.setattr("experiments.__main__.load", {"sample": double}.__getitem__)
    assert main(["sample"]) == 2
    assert capsys.readouterr().err.startswith("sample: two parts have the name 'a, seed 0'")
    assert not Path("runs").exists()
