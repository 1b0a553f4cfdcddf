"""The `fcnn` command."""

import json
import re
import subprocess
import sys

import pytest

import fcnn
from fcnn.command import main

RIGHT = """
import numpy as np

def double(x):
    return 2 * x

def double_backward(x, dy):
    return (2 * dy,)

double_args = (np.ones((2, 3), np.float32),)
"""
WRONG = RIGHT.replace("(2 * dy,)", "(-2 * dy,)")


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "mine.py"
        path.write_text(text)
        return path

    return write


def test_ops_lists_every_operator(capsys):
    assert main(["ops"]) == 0
    lines = capsys.readouterr().out.splitlines()
    named = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert named == [op.name for op in fcnn.ops.OPS]


@pytest.mark.parametrize(
    "arguments", [[], ["opz"], ["check", "--dtype", "int8"], ["bench"], ["bench", "peers", "-q"]]
)
def test_misuse_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2


def test_check_of_operators(capsys, monkeypatch):
    attention = fcnn.dot_product_attention
    (case,) = (c for c in attention.cases if c.name == "no queries")  # test_gradients has them all
    monkeypatch.setattr(attention, "cases", (case,))
    assert main(["check", "relu", "dot_product_attention", "--dtype", "float32"]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = {tuple(line.split()[:3]) for line in lines if "µs" in line}
    by_each = {(attention.name, impl, "float32") for impl in ("auto", "plain", "blocked")}
    assert told == {("relu", "–", "float32"), *by_each}
    assert lines[-1].endswith("gradients are right.")


def test_check_of_a_file(file, capsys):
    assert main(["check", f"{file(RIGHT)}:double"]) == 0
    assert main(["check", f"{file(WRONG)}:double"]) == 1
    assert "dx: equals −1 × the right gradient" in capsys.readouterr().out


def test_check_draws_arguments_of_given_shapes(file, capsys):
    path = file("import jax.numpy as jnp\ndef product(x, w):\n    return x @ w\n")
    assert main(["check", f"{path}:product", "--args", "3,4", "(4,5)"]) == 0
    assert "(4, 5)" in capsys.readouterr().out


def test_check_finds_fwd_and_bwd(file):
    text = "double_fwd = lambda x: (2 * x, ())\ndouble_bwd = lambda saved, dy: (3 * dy,)\n"
    assert main(["check", f"{file(WRONG + text)}:double"]) == 1


def test_check_prints_json(file, capsys):
    assert main(["check", f"{file(WRONG)}:double", "--json"]) == 1
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["leaf"], row["mistake"]) == ("x", "constant factor")


def test_what_a_function_prints_is_no_part_of_the_json(file, capsys):
    text = RIGHT.replace("    return 2 * x", "    print('hello')\n    return 2 * x")
    assert main(["check", f"{file(text)}:double", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["ok"]
    assert "hello" in said.err


def test_check_writes_a_page(file, tmp_path, capsys):
    page = tmp_path / "report.html"
    assert main(["check", f"{file(WRONG)}:double", "--html", str(page)]) == 1
    text = page.read_text()
    assert "0 of 1 gradients are right" in text
    assert "equals −1 × the right gradient" in text
    assert text.count("<rect") == 6  # a square for each entry
    assert not re.search("src=|href=", text)  # nothing is loaded from elsewhere
    assert [p.name for p in tmp_path.glob(".*")] == []


@pytest.mark.parametrize(
    ("arguments", "text", "says"),
    [
        (["rellu"], "", "'rellu' is no operator, nor FILE.py:NAME; did you mean relu?"),
        (["none.py:f"], "", "there is no file none.py"),
        (["{file}:f"], RIGHT, "has no f"),
        (["{file}:np"], RIGHT, "is no function, but module"),
        (["{file}:double"], "def double(x): return x", "needs arguments: write double_args"),
        (["{file}:double", "--args", "2,x"], RIGHT, "--args '2,x' is no shape"),
        (["relu", "--args", "2,3"], "", "--args goes with FILE.py:NAME"),
        (["{file}:double"], "1 / 0", "ZeroDivisionError: division by zero"),
        (["{file}:double"], RIGHT.replace("return 2 * x", "return x.y"), "AttributeError"),
        (["{file}:double"], RIGHT.replace("(2 * dy,)", "2, 3"), "gives 2 for 1 arguments"),
        (["{file}:double", "--html", "none/r.html"], RIGHT, "there is no folder none"),
    ],
)
def test_misuse_gets_one_line(file, capsys, arguments, text, says):
    path = file(text)
    assert main(["check", *(a.replace("{file}", str(path)) for a in arguments)]) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.startswith("fcnn check: ")
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_as_a_person_runs_it(file, tmp_path):
    """In a process of its own, from the folder of the file."""
    file(WRONG)
    done = subprocess.run(
        [sys.executable, "-m", "fcnn", "check", "mine.py:double"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    assert "equals −1 × the right gradient" in done.stdout
    assert done.stderr == ""


def test_who_stops_reading_gets_no_traceback():
    """As `fcnn ops | head -1` does; the table is larger than a pipe's buffer."""
    command = f"{sys.executable} -m fcnn ops | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.stdout.count("\n"), done.stderr) == (1, "")
