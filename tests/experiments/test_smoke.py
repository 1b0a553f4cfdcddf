"""Every experiment runs with --smoke in seconds; `all` runs them in order, and `judge` judges."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import types
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot  # noqa: F401, because imports are not counted
import pytest
import sklearn.datasets  # noqa: F401
import toy

from experiments import NAMES, names
from experiments.__main__ import main, record
from experiments.framework.claim import Claim, Pairs
from experiments.framework.runner import main as run_record
from fcnn.bench.machine import Roofline

RESULTS = Path(__file__).parents[2] / "experiments/results"
ALONE = ("faults",)  # its processes use all cores for a minute: `all --smoke` in `.ci/run` runs it
SECONDS = 9  # of CPU time for each experiment after imports; 6 on an idle AMD EPYC


@pytest.fixture
def fixed_roofline(monkeypatch):
    """No measurement of the machine's peaks."""
    monkeypatch.setattr("fcnn.cli.bench.bench.roofline", lambda dtype: Roofline(1e11, 1e10))


@pytest.mark.all(
    "5 CPU seconds for each experiment; `.ci/run` runs `all --smoke` on each Python, and in the "
    "first tier test_the_example_of_the_documentation_is_a_whole_experiment has a smoke run"
)
@pytest.mark.usefixtures("jax_defaults", "fixed_roofline")
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ALONE])
def test_every_experiment_has_a_smoke_run(name, tmp_path, capsys):
    assert record(name).name == name
    start = time.process_time()
    assert main([name, "--smoke", "--output-dir", str(tmp_path)]) == 0
    used = time.process_time() - start
    assert used < SECONDS, f"{name}: {used:.1f} s"
    (folder,) = (tmp_path / name).iterdir()
    written = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    assert written
    assert not any(each.get("claims") for each in written if "minutes" in each)
    assert "failed" not in capsys.readouterr().out


def test_ci_runs_all_smoke_runs_on_each_python():
    ci = (RESULTS.parents[1] / ".ci/run").read_text(encoding="utf-8")
    oldest, newest = ci.split("if newest=$(newest_python); then")
    for part in (oldest, newest):
        assert re.search(r'^ *part "experiments.*python -m experiments all --smoke', part, re.M)


def test_experiments_are_found_in_a_fixed_order(tmp_path):
    for path in ("zeta.py", "alpha/__init__.py", "fc_vs_conv/__init__.py", "beta.py"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    for path in ("__init__.py", "__main__.py", "results", "framework/__init__.py", "data/a.json"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    assert names(tmp_path) == ("fc_vs_conv", "alpha", "beta", "zeta")
    assert NAMES == ("fc_vs_conv", *sorted(NAMES[1:]))


def example(number, name, most, folder, monkeypatch):
    """A function that runs an example of docs/experiments.md, which has at most `most` lines."""
    page = (RESULTS.parents[1] / "docs/experiments.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[number]
    assert len([line for line in code.splitlines() if line.strip()]) <= most
    module = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec(code, module.__dict__)
    return lambda *options: run_record(module.EXPERIMENT, [*options, "--output-dir", str(folder)])


def test_the_example_of_the_documentation_is_a_whole_experiment(tmp_path, monkeypatch, capsys):
    """docs/experiments.md, as a module: smoke, verdict, misuse and continuation."""
    run = example(0, "he", 65, tmp_path, monkeypatch)
    assert run("--smoke", "--width", "16") == 0
    assert run() == 0
    assert "held: Glorot's initialization loses more than two decades" in capsys.readouterr().out
    assert run("--width", "0") == 2
    assert capsys.readouterr().err == "he: --width 0 must be at least 1\n"
    newest = max((tmp_path / "he").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert run("--continue", str(newest)) == 0
    assert "10 of 10 parts are from" in capsys.readouterr().out


@pytest.mark.usefixtures("jax_defaults")
def test_the_example_with_training_has_a_smoke_run(tmp_path, monkeypatch):
    """The claim is judged where the page's programs run."""
    assert example(1, "units", 45, tmp_path, monkeypatch)("--smoke") == 0


@pytest.fixture
def toys(monkeypatch):
    """Three toy experiments in place of the real ones."""
    records = {name: replace(toy.TOY, name=name) for name in ("one", "two", "three")}
    monkeypatch.setattr("experiments.__main__.NAMES", tuple(records))
    monkeypatch.setattr("experiments.__main__.load", records.__getitem__)
    return records


def test_all_runs_every_experiment_and_returns_the_worst_code(tmp_path, toys, capsys):
    assert main(["all", "--smoke", "--output-dir", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {*toys, "index.html"}
    toys["one"] = replace(toys["one"], evidence=lambda m: [Pairs([0.0, 1, 2], [1, 3, 5])])
    toys["two"] = replace(toys["two"], evidence=lambda m: [Pairs([1.0, 2, 4], [0, 1, 0])])
    assert main(["all", "--output-dir", str(tmp_path)]) == 3  # one and two are undecided
    toys["three"] = replace(toys["three"], evidence=lambda m: [Pairs([0.0, 0], [1, 1])])
    assert main(["all", "--output-dir", str(tmp_path)]) == 1  # three failed
    out = capsys.readouterr().out
    assert out.count("python -m experiments three") == 3
    assert main(["all", "--continue", str(tmp_path)]) == 2


def test_a_signal_ends_all(tmp_path, toys, capsys):
    def measure(config, prepared, todo, log):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.2)
        yield todo[0].name, {"net": "a", "value": 1.0}

    toys["two"] = replace(toys["two"], measure=measure)
    assert main(["all", "--output-dir", str(tmp_path)]) == 143
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two", "index.html"}


def test_kept_results_are_judged_again(tmp_path, toys, capsys):
    assert main(["one", "--output-dir", str(tmp_path)]) == 0
    (folder,) = (tmp_path / "one").iterdir()
    held = [line for line in capsys.readouterr().out.splitlines() if line.startswith("held")]
    assert main(["judge", str(folder / "results.json")]) == 0
    assert capsys.readouterr().out.splitlines() == held
    stricter = Claim("a exceeds b", "value, a − b", margin=2.0, changed="a gain of 1 is noise")
    toys["one"] = replace(toys["one"], claims=(stricter,))
    assert main(["judge", str(folder / "results.json")]) == 1
    out = capsys.readouterr().out
    assert out.startswith("failed: a exceeds b")
    assert "claim 1: claimed: more than 0 → more than 2: a gain of 1 is noise" in out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        ("{", "Expecting"),
        ("{}", "names no known experiment"),
        ('{"experiment": "one"}', "is no results.json of one, or is incomplete"),
    ],
)
def test_a_file_that_cannot_be_judged_is_one_line(content, message, tmp_path, toys, capsys):
    path = tmp_path / "results.json"
    if content is not None:
        path.write_text(content)
    assert main(["judge", str(path)]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["digits", "mnist", "fashion_mnist", "cifar10"])
def test_kept_results_of_fc_vs_conv_are_judged(name, capsys):
    code = main(["judge", str(RESULTS / f"fc_vs_conv/{name}.json")])
    lines = capsys.readouterr().out.splitlines()
    words = [line.partition(":")[0] for line in lines[:3]]
    assert set(words) <= {"held", "undecided", "failed"}
    assert code == (1 if "failed" in words else 3 if "undecided" in words else 0)
    assert all(
        re.match(r"rule|claim \d|Changes since the claims were registered:", line)
        for line in lines[3:]
    )  # differences, by name


def test_a_missing_package_is_one_line_and_misuse(monkeypatch, capsys):
    def missing(name):
        raise ModuleNotFoundError("No module named 'tyro'", name="tyro")

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(SystemExit) as exit_info:
        main(["speed", "--smoke"])
    assert exit_info.value.code == 2
    assert "no module tyro; pip install" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["im2col"], ["all"], ["table"], ["nothing"]])
def test_without_the_packages_of_fcnn_a_command_is_one_line(arguments):
    program = "import runpy, sys; sys.modules['jax'] = None; "
    program += "runpy.run_module('experiments', run_name='__main__')"
    words = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(words, cwd=RESULTS.parents[1], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    line = "experiments: no module jax; pip install -e '.[experiments]'\n"
    assert done.stderr.endswith("'table'\n" if arguments == ["nothing"] else line)
