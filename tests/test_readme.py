"""What the README says is run: its code blocks, its tables, its commands."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.fc_vs_conv.measure import Measured
from experiments.fc_vs_conv.output import markdown
from fcnn.command.ops import departures, table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
RESULTS = sorted((ROOT / "experiments/results/fc_vs_conv").glob("*.json"))


def test_the_code_runs(tmp_path):
    """As a person runs it: in its own process, in float32, as given."""
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    told = re.search(r"([\d.]+)% of the test digits are told right", done.stdout)
    assert told is not None
    assert float(told[1]) > 95
    assert len(code.strip().splitlines()) < 35


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
