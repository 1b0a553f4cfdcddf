"""What the README says is run: its code blocks, its tables, its commands."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.checkers.correct_gradients import CORRECT_GRADIENTS
from experiments.checkers.mutants import MUTANTS
from experiments.checkers.tables import by_kind, by_trap, kept, side_by_side
from experiments.fc_vs_conv.measure import Measured
from experiments.fc_vs_conv.output import markdown
from experiments.speed.train_steps import BENCH as SPEED
from fcnn.cli.bench import BENCHES
from fcnn.cli.bench.recorded import lines
from fcnn.cli.ops import departures, table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
RESULTS = sorted((ROOT / "experiments/results/fc_vs_conv").glob("*.json"))


WIDE = pytest.mark.all(
    "15 CPU seconds; tests/training/test_validation.py trains on float32 data in x64"
)


@pytest.mark.parametrize("x64", ["0", pytest.param("1", marks=WIDE)])
def test_the_code_runs(tmp_path, x64):
    """As a person runs it: in its own process, in float32 or float64, as given."""
    code, words = BLOCKS[0], {"cwd": tmp_path, "env": os.environ | {"JAX_ENABLE_X64": x64}}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, **words
    )
    assert done.returncode == 0, done.stderr
    told = re.search(r"([\d.]+)% of the test digits are told right", done.stdout)
    assert told is not None
    assert float(told[1]) > 95
    assert len(code.strip().splitlines()) < 35


def test_the_wrong_convolution_is_found_out(tmp_path):
    """As in the README: its file, its command, its report."""
    (tmp_path / "my_conv.py").write_text(BLOCKS[1])
    (command,) = re.findall(r"^`(fcnn check my_conv.py:conv)` says", README, re.MULTILINE)
    words = [sys.executable, "-m", *command.split()]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    report = done.stdout.partition("  cost")[0].rstrip()
    shown = re.search(r"^    conv\n(    .*\n)+", README, re.MULTILINE)
    assert shown is not None
    numbers = r"-?\d+(\.\d+)?(e-?\+?\d+)?"  # rounding differs from machine to machine
    alike = lambda text: re.sub(r" +", " ", re.sub(numbers, "0", text)).split()
    assert alike(report) == alike(shown[0])
    mended = BLOCKS[1].replace("w.swapaxes(2, 3))", "w[::-1, ::-1].swapaxes(2, 3))")
    (tmp_path / "my_conv.py").write_text(mended)
    assert subprocess.run(words, cwd=tmp_path, capture_output=True).returncode == 0


def test_the_operator_works_and_is_right(capsys):
    exec(compile(BLOCKS[2], "README.md", "exec"), {})
    said = capsys.readouterr().out
    assert "square: a matrix" in said
    assert re.search(r"^  dx +\(2, 3\) +right", said, re.MULTILINE)


def test_the_tables_of_checkers_are_the_kept_results():
    results = json.loads((ROOT / "experiments/results/checkers/checkers.json").read_text())
    mutants, rights = kept(results)
    assert len(mutants) == len(MUTANTS)
    assert len(rights) == len(CORRECT_GRADIENTS)
    for told in (side_by_side(mutants, rights), by_kind(mutants), by_trap(rights)):
        assert told.markdown() in README
    assert all(claim["held"] for claim in results["claims"])


@pytest.mark.parametrize("name", ["cpu_peers", "cpu_ops"])
def test_the_tables_of_speed_are_the_kept_results(name):
    told = json.loads((ROOT / f"experiments/results/speed/{name}.json").read_text())
    assert "\n".join(lines((*BENCHES, SPEED), told)) in README


def test_the_operator_table_is_the_registry():
    assert "\n".join([*table(), "", *departures()]) in README


@pytest.mark.parametrize("path", RESULTS, ids=lambda p: p.stem)
def test_the_tables_are_the_kept_results(path):
    networks = json.loads(path.read_text())["networks"].items()
    assert markdown({name: Measured.of(m) for name, m in networks}) in README


def test_there_are_kept_results():
    assert [p.stem for p in RESULTS] == ["digits", "fashion_mnist", "mnist"]


def test_the_two_commands_are_what_ci_calls():
    ci = (ROOT / ".ci/run").read_text()
    first, second = re.findall(r"^    (pip install .*)$", README, re.MULTILINE)[:2]
    for command in (first, second):
        install, _, rest = command.partition(" && ")
        assert install.replace("install", "install -q") + " && " + rest in ci


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
