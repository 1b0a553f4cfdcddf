"""README.md and docs/: code blocks and commands run, tables are current, targets of links exist."""

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from experiments.checkers import EXPERIMENT as CHECKERS
from experiments.checkers.correct_gradients import CORRECT_GRADIENTS
from experiments.checkers.mutants import MUTANTS
from experiments.checkers.tables import judged
from experiments.faults import EXPERIMENT as FAULTS
from experiments.framework.judging import judge_again

ROOT = Path(__file__).parents[1]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md")))
}
README = PAGES["README.md"]
CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)
TRAINING = CODE.findall(README)[0]
PROGRAMS = [  # code blocks of docs/, each of which is a complete program
    pytest.param(code, id=f"{page}-{i}")
    for page, text in PAGES.items()
    for i, code in enumerate(CODE.findall(text))
    if page.startswith("docs/")
]
NEEDS_TORCH = [p for p in PROGRAMS if "import torch" in p.values[0]]  # run by tests/parity
RUNS_ALONE = [p for p in PROGRAMS if p not in NEEDS_TORCH]
RESULTS = sorted((ROOT / "experiments/results/fc_vs_conv").glob("*.json"))
WIDE = pytest.mark.all(
    "15 CPU seconds; in the first tier, test_validation.py trains on float32 data in x64"
)


def run(code, folder, **environment):
    """The output of `code` in a new process, under JAX's default settings."""
    options = {"cwd": folder, "env": os.environ | {"PYTHONPATH": str(ROOT)} | environment}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, **options
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_readme_is_short():
    assert len(README.splitlines()) <= 120


@pytest.mark.parametrize("x64", ["0", pytest.param("1", marks=WIDE)])
def test_readme_trains_a_network(tmp_path, x64):
    out = run(TRAINING, tmp_path, JAX_ENABLE_X64=x64)
    (accuracy,) = re.findall(r"^test accuracy: ([\d.]+)%$", out, re.MULTILINE)
    (shown,) = re.findall(r"# test accuracy: ([\d.]+)%$", README, re.MULTILINE)
    assert abs(float(accuracy) - float(shown)) < 1
    assert float(accuracy) > 95
    assert len(TRAINING.strip().splitlines()) < 35


def check(code, command, folder):
    """Write `code` to FILE.py and run `command`, which is `fcnn check FILE.py:NAME`.

    Return the exit code and the report without costs.
    """
    (folder / command.split()[2].partition(":")[0]).write_text(code)
    words = [sys.executable, "-m", *command.split()]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    assert done.stderr == ""
    return done.returncode, done.stdout.partition("  cost")[0].rstrip()


@pytest.mark.parametrize(
    ("page", "command", "mistake", "right"),
    [
        (
            "README.md",
            "fcnn check my_conv.py:conv",
            "w.swapaxes(2, 3))",
            "w[::-1, ::-1].swapaxes(2, 3))",
        ),
        (
            "docs/checking-gradients.md",
            "fcnn check losses.py:squared_error",
            ", (y - targets)",
            ", -2 * (y - targets)",
        ),
    ],
)
def test_the_wrong_gradient_is_found(page, command, mistake, right, tmp_path):
    """The file and the command give the report on the page. The corrected file passes."""
    assert command in PAGES[page]
    name = command.partition(":")[2]
    (code,) = (c for c in CODE.findall(PAGES[page]) if f"def {name}_backward" in c)
    exit_code, report = check(code, command, tmp_path)
    assert exit_code == 1
    shown = re.search(rf"^    {name}\n(    .*\n)+", PAGES[page], re.MULTILINE)
    assert shown is not None
    numbers = r"-?\d+(\.\d+)?(e-?\+?\d+)?"  # rounding differs between machines
    without_numbers = lambda text: re.sub(r" +", " ", re.sub(numbers, "0", text)).split()
    assert without_numbers(report) == without_numbers(shown[0])
    assert check(code.replace(mistake, right), command, tmp_path)[0] == 0


GENERATE = runpy.run_path(str(ROOT / "docs/generate.py"))


@pytest.mark.parametrize("page", PAGES)
def test_tables_are_made_from_the_code_and_kept_results(page):
    assert GENERATE["generated"](PAGES[page]) == PAGES[page], "run python -m docs.generate"


def test_every_generated_block_is_on_a_page():
    text = "".join(PAGES.values())
    for name in GENERATE["BLOCKS"]:
        assert re.search(f"<!-- {name} -->.*<!-- /{name} -->", text, re.DOTALL), name


def test_a_generated_number_that_was_changed_by_hand_is_found():
    page = PAGES["docs/speed.md"]
    changed = re.sub(r"(\| cnn-.*? \| .*? \| )\d", r"\g<1>9", page, count=1)
    assert GENERATE["generated"](changed) == page != changed


@pytest.mark.parametrize("name", GENERATE["PICTURES"])
def test_pictures_are_drawn_from_the_kept_results(name, tmp_path):
    GENERATE["PICTURES"][name]().savefig(tmp_path / "drawn.png")
    drawn, shown = imread(tmp_path / "drawn.png"), imread(ROOT / name)
    assert drawn.shape == shown.shape
    assert np.abs(drawn - shown).mean() < 0.01, "run python -m docs.generate"


@pytest.mark.parametrize("code", RUNS_ALONE)
def test_code_of_a_page_runs_and_prints_the_shown_text(code, tmp_path):
    """The code runs, and prints the text of its `# prints` comments."""
    runs_and_prints(code, tmp_path)


def runs_and_prints(code, folder):
    """Run `code`, and assert that it prints the text of its `# prints` comments."""
    out = run(code, folder)
    for shown in re.findall(r"# prints (.+)$", code, re.MULTILINE):
        assert shown in out


def test_the_example_operator_is_checked(tmp_path):
    (code,) = (c for c in CODE.findall(PAGES["docs/operators.md"]) if "fcnn.check(square)" in c)
    out = run(code, tmp_path)
    assert "square: a matrix" in out
    assert re.search(r"^  dx +\(2, 3\) +right", out, re.MULTILINE)


def test_the_kept_result_of_checkers_has_all_cases():
    results = json.loads((ROOT / "experiments/results/checkers/checkers.json").read_text())
    mutants, correct = judged(results)
    assert len(mutants) == len(MUTANTS)
    assert len(correct) == len(CORRECT_GRADIENTS)
    of_part_1 = results["claims"][:3]
    assert all(claim["held"] for claim in of_part_1)
    assert not results["stopped"]
    assert not results["environment"]["uncommitted changes"]


def test_the_page_of_the_checker_states_the_claims_that_failed():
    results = json.loads((ROOT / "experiments/results/checkers/checkers.json").read_text())
    page = (ROOT / "docs/checking-gradients.md").read_text()
    verdicts, changes = judge_again(CHECKERS, results)
    assert len(verdicts) == 8
    assert len(changes) == 6  # texts and measures that say more, with reasons
    assert not [line for line in changes if "no reason" in line or "margin" in line]
    for kept, v in zip(results["claims"], verdicts, strict=True):
        assert v.verdict == ("held" if kept["held"] else "failed")
        assert f"- **{v.verdict}**: {v.text} ({v.measure}: {v.evidence})\n" in page


def test_the_kept_result_of_faults_is_whole_and_holds():
    results = json.loads((ROOT / "experiments/results/faults/faults.json").read_text())
    verdicts, changes = judge_again(FAULTS, results)
    assert {v.verdict for v in verdicts} == {"held"}
    assert changes == []
    tries = FAULTS.evidence(FAULTS.read(results))
    assert tries[0].of >= 25
    assert tries[4].of >= 200
    assert not results["stopped"]
    assert not results["config"]["smoke"]
    assert not results["environment"]["uncommitted changes"]


def test_four_data_sets_have_kept_results():
    assert [p.stem for p in RESULTS] == ["cifar10", "digits", "fashion_mnist", "mnist"]


def test_ci_runs_the_two_commands_of_the_readme():
    ci = (ROOT / ".ci/run").read_text()
    commands = re.findall(r"^    (pip install .*&& .*)$", README, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        install, _, rest = command.partition(" && ")
        assert install.replace("install", "install -q") + " && " + rest in ci


@pytest.mark.parametrize("page", PAGES)
def test_targets_of_links_exist(page):
    for target in re.findall(r"\]\(([^)#]+)\)", PAGES[page]):
        assert ((ROOT / page).parent / target).exists(), target


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/")])
def test_readme_links_to_every_page(page):
    assert f"]({page})" in README
