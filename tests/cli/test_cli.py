"""The `fcnn` command: output, error messages, exit codes."""

import json
import re
import subprocess
import sys
import textwrap
import tomllib
import warnings
from pathlib import Path

import jax
import pytest

import fcnn
from fcnn.cli import main
from fcnn.cli.target import target

RIGHT = """
import numpy as np

def double(x):
    return 2 * x

def double_backward(x, dy):
    return (2 * dy,)

double_args = (np.ones((2, 3), np.float32),)
"""
NEEDS_DATA = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("data")
parser.parse_args()
"""
BWD_WITHOUT_FWD = RIGHT.replace("double_backward(x, dy)", "double_bwd(saved, dy)")
WITHOUT_BWD = """
import fcnn

@fcnn.operator()
def square(x):
    return x * x

@square.fwd
def square_fwd(x):
    return x * x, x
"""
WRONG = RIGHT.replace("(2 * dy,)", "(-2 * dy,)")


TYPO = RIGHT.replace("double_backward", "{}")
NOT_USED = "mine.py: {} is not used; did you mean double_backward?"


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "mine.py"
        path.write_text(text)
        return path

    return write


def test_version_lists_fcnn_jax_and_python(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    printed = capsys.readouterr().out
    project = tomllib.loads((Path(fcnn.__path__[0]).parent / "pyproject.toml").read_text())
    assert printed.startswith(f"fcnn {project['project']['version']} (jax {jax.__version__}, ")


def test_ops_lists_every_operator(capsys):
    assert main(["ops"]) == 0
    lines = capsys.readouterr().out.splitlines()
    named = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert named == [op.name for op in fcnn.ops.OPS]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["opz"],
        ["check", "--dtype", "int8"],
        ["bench"],
        ["bench", "ops", "-q"],
        ["bench", "peers"],
    ],
)
def test_misuse_gives_exit_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bench", "con"], "invalid choice: 'con' (choose from .*); did you mean conv?"),
        (["bench", "modles"], "did you mean models?"),
        (["bech"], "did you mean bench?"),
        (["check", "relu", "--dtype", "flaot32"], "did you mean float32?"),
        (["bench", "ops", "--dtype", "float16"], "did you mean bfloat16?"),
    ],
)
def test_the_nearest_choice_is_named(arguments, message, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    message = re.escape(message).replace(r"\.\*", ".*")
    assert re.search(f"{message}$", capsys.readouterr().err.strip())


def test_check_of_operators(capsys, monkeypatch):
    attention = fcnn.dot_product_attention
    # test_gradients checks all cases.
    (case,) = (c for c in attention.cases if c.name == "no queries")
    monkeypatch.setattr(attention, "cases", (case,))
    assert main(["check", "relu", "dot_product_attention", "--dtype", "float32"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {tuple(line.split()[:3]) for line in lines if "µs" in line}
    by_each = {(attention.name, impl, "float32") for impl in ("auto", "plain", "blocked")}
    assert rows == {("relu", "–", "float32"), *by_each}
    assert lines[-1].endswith("gradients are right.")
    (choice,) = (line for line in lines if "accepted" in line)
    assert re.match(r"relu: at its kinks: dx: accepted at a kink: at x\[\d\], slopes from ", choice)


def test_check_finds_a_wrong_gradient_in_a_file(file, capsys):
    assert main(["check", f"{file(RIGHT)}:double"]) == 0
    assert main(["check", f"{file(WRONG)}:double"]) == 1
    assert "dx: equals −1 × the right gradient" in capsys.readouterr().out


def test_an_error_in_one_function_keeps_the_reports_before_it(file, capsys):
    path = file(
        RIGHT + "half = double\nhalf_args = double_args\nhalf_backward = lambda x, dy: 3 * [dy]\n"
    )
    assert main(["check", f"{path}:double", f"{path}:half"]) == 2
    printed = capsys.readouterr()
    assert "right" in printed.out
    assert "returns 3 gradients for 1 argument" in printed.err


def test_check_draws_arguments_of_given_shapes(file, capsys):
    path = file("import jax.numpy as jnp\ndef product(x, w):\n    return x @ w\n")
    assert main(["check", f"{path}:product", "--args", "3,4", "(4,5)"]) == 0
    assert "(4, 5)" in capsys.readouterr().out


def test_check_notes_that_a_file_has_no_gradient(file, capsys):
    text = "import jax.numpy as jnp\n" + RIGHT.replace("double_backward", "gradient")
    assert main(["check", f"{file(text)}:double"]) == 0
    note = "  JAX's own gradient is checked: mine.py has no double_backward, nor double_fwd and"
    assert note in capsys.readouterr().out
    assert main(["check", f"{file(RIGHT)}:double"]) == 0
    assert "JAX's own gradient" not in capsys.readouterr().out


def test_check_finds_fwd_and_bwd(file):
    text = "double_fwd = lambda x: (2 * x, ())\ndouble_bwd = lambda saved, dy: (3 * dy,)\n"
    assert main(["check", f"{file(WRONG + text)}:double"]) == 1


def test_check_prints_json(file, capsys):
    assert main(["check", f"{file(WRONG)}:double", "--json"]) == 1
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["leaf"], row["mistake"]) == ("x", "constant factor")


def test_output_of_a_function_is_not_in_the_json(file, capsys):
    text = RIGHT.replace("    return 2 * x", "    print('hello')\n    return 2 * x")
    text += "print('loaded')\n"
    assert main(["check", f"{file(text)}:double", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["ok"]
    assert "hello" in printed.err
    assert "loaded" in printed.err


def test_check_writes_a_page(file, tmp_path, capsys):
    page = tmp_path / "report.html"
    assert main(["check", f"{file(WRONG)}:double", "--html", str(page)]) == 1
    text = page.read_text()
    assert "0 of 1 gradients are right" in text
    assert "equals −1 × the right gradient" in text
    assert text.count("<rect") == 6  # one square per entry
    assert not re.search("src=|href=", text)  # the page loads no other file
    assert [p.name for p in tmp_path.glob(".*")] == []


def test_a_page_that_cannot_be_written_gives_exit_code_2(file, capsys):
    assert main(["check", f"{file(RIGHT)}:double", "--html", "/proc/r.html"]) == 2
    assert capsys.readouterr().err.startswith("fcnn check: --html /proc/r.html: ")


@pytest.mark.parametrize(
    ("arguments", "text", "message"),
    [
        (
            ["rellu"],
            "",
            "unknown name 'rellu'; expected an operator or FILE.py:NAME; did you mean relu?",
        ),
        (["none.py:f"], "", "there is no file none.py"),
        (["{file}:f"], RIGHT, "has no f"),
        (["{file}:np"], RIGHT, "must be a function, not a module"),
        (["{file}:double"], "def double(x): return x", "needs arguments: write double_args"),
        (["{file}:double", "--args", "2,x"], RIGHT, "--args '2,x' is not a shape"),
        (["relu", "--args", "2,3"], "", "--args: only with FILE.py:NAME"),
        (["{file}:double"], "1 / 0", "mine.py:1: ZeroDivisionError: division by zero"),
        (
            ["{file}:double"],
            RIGHT.replace("return 2 * x", "return x.y"),
            "mine.py:5: double raises AttributeError: ",
        ),
        (
            ["{file}:double"],
            RIGHT.replace("(2 * dy,)", "2 * dy.z"),
            "mine.py:8: the backward of double raises AttributeError: ",
        ),
        (
            ["{file}:double"],
            RIGHT.replace("(2 * dy,)", "2, 3"),
            "returns 2 gradients for 1 argument",
        ),
        (["{file}:double", "--html", "none/r.html"], RIGHT, "there is no folder none"),
        (["{file}:double", "--html", "{folder}"], RIGHT, "is a folder; write "),
        (["{file}:double"], f"{RIGHT}import sys\nsys.exit(0)", "mine.py:12: calls sys.exit(0), so"),
        (["{file}:double"], f"{RIGHT}raise SystemExit", "mine.py:11: calls sys.exit(), so nothing"),
        (["{file}:double"], f"{RIGHT}{NEEDS_DATA}", "mine.py:15: calls sys.exit(2), so"),
        (
            ["{file}:double"],
            RIGHT.replace("return 2 * x", "exit(0)"),
            "mine.py:5: calls sys.exit(0)",
        ),
        (
            ["{file}:double"],
            f"{RIGHT}def double_args(): exit()",
            "mine.py:11: calls sys.exit(), so",
        ),
        (
            ["{file}:double"],
            f"{RIGHT}def double_args(): 1 / 0",
            "mine.py:11: ZeroDivisionError: div",
        ),
        (["{file}:double"], f"{RIGHT}def double_args(seed): 1", "double_args(): TypeError"),
        (["{file}:double"], f"{RIGHT}double_args = 3", "double_args must be a tuple, as in (x, w)"),
        (["{file}:double"], f"{RIGHT}double_args = ('a',)", "no floating argument"),
        (
            ["{file}:double"],
            "class Quit(BaseException): 1\nraise Quit('a\\nb')",
            "mine.py:2: Quit: a",
        ),
        (
            ["{file}:double"],
            "def double(:",
            "mine.py:1: SyntaxError: invalid syntax (mine.py, line 1)",
        ),
        (["{file}:double"], "from . import other", "attempted relative import"),
        (["{file}:double"], "def __getattr__(name): 1 / 0", "mine.py:1: ZeroDivisionError"),
        (["{file}:double"], RIGHT.replace("return 2 * x", "2 * x"), "double returns None, which"),
        (["{file}:Double"], "class Double: 1", "must be a function, not a class"),
        (["{file}:"], RIGHT, "mine.py has no name after the colon"),
        (["{folder}:double"], "", "is a folder; write FILE.py:NAME"),
        (
            ["{folder}/notes.txt:double"],
            "",
            "notes.txt is not a Python file; its name must end in",
        ),
        (["{file}:double"], BWD_WITHOUT_FWD, "double_bwd needs double_fwd; write both"),
        (["{file}:double"], TYPO.format("double_bakward"), NOT_USED.format("double_bakward")),
        (["{file}:double"], TYPO.format("double_backwards"), NOT_USED.format("double_backwards")),
        (["{file}:double"], TYPO.format("doubel_backward"), NOT_USED.format("doubel_backward")),
        (["{file}:double"], RIGHT.replace("_args", "_arg"), "double_arg is not used; did you mean"),
        (
            ["{file}:double"],
            f"{RIGHT}{NEEDS_DATA}",
            "the following arguments are required: data; put",
        ),
        (["{file}:doubel"], RIGHT, "mine.py has no doubel; did you mean double?"),
        (["{file}:triple_it"], RIGHT, "mine.py has no triple_it; it has double"),
        (["{file}"], RIGHT, "write {file}:double, with the name of a function; it has double"),
        (
            ["{file}"],
            "import numpy",
            "write {file}:NAME, with the name of a function; it has no fun",
        ),
        (
            ["{file}:double", "--html", "{file}"],
            RIGHT,
            "--html {file}: does not end in .html; write",
        ),
        (
            ["--html", "relu"],
            "",
            "--html relu: does not end in .html; write each NAME before --html",
        ),
        (["{file}:square"], WITHOUT_BWD, "square needs arguments"),
        (["{file}:square", "--args", "2,3"], WITHOUT_BWD, "square: has fwd but no bwd"),
        (["one_hot"], "", "one_hot has no case with a floating argument"),
    ],
)
def test_an_error_is_one_line(file, capsys, arguments, text, message):
    path = file(text)
    (path.parent / "notes.txt").write_text("")
    given = [a.format(file=path, folder=path.parent) for a in arguments]
    assert main(["check", *given]) == 2
    printed = capsys.readouterr()
    assert message.replace("{file}", str(path)) in printed.err
    assert printed.err.startswith("fcnn check: ")
    assert printed.err.count("\n") == 1
    assert printed.out == ""


LOADS = {
    "postponed annotations": """
        from __future__ import annotations
        from dataclasses import dataclass
        from typing import ClassVar
        @dataclass
        class Sizes:
            most: ClassVar[int] = 2
            n: int = 1
    """,
    "type hints": """
        from __future__ import annotations
        import typing
        class Pair(typing.NamedTuple):
            first: Pair | None
        assert typing.get_type_hints(Pair)
    """,
    "pickle": """
        import pickle
        class Sizes:
            n = 1
        assert type(pickle.loads(pickle.dumps(Sizes()))) is Sizes
    """,
    "parsed options": """
        import argparse
        parser = argparse.ArgumentParser()
        parser.add_argument("--size", default=3)
        assert parser.parse_args().size == 3
    """,
    "sys.argv": "import sys; assert sys.argv[1:] == []",
    "a guarded main": "if __name__ == '__main__': exit(0)",
    "a neighbour": "from neighbour import two; assert two == 2",
    "warnings": "import warnings; warnings.simplefilter('error')",
    "threads": "import sys; sys.stderr.flush(); sys.stderr.isatty()",
}


@pytest.fixture
def modules(monkeypatch):
    """Restore sys.path, and remove the modules that a test has imported."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize("text", LOADS.values(), ids=list(LOADS))
@pytest.mark.parametrize("name", ["mine", "json", "jax"])
def test_a_file_is_loaded_as_python_runs_it(tmp_path, modules, name, text):
    """A file may have the name of a module. Its changes to sys.argv and warnings are undone."""
    (tmp_path / "neighbour.py").write_text("two = 2")
    path = tmp_path / f"{name}.py"
    path.write_text(textwrap.dedent(text) + RIGHT)
    before = sys.argv, list(warnings.filters), sys.modules.get(name)
    found = target(f"{path}:double", None, 0)
    assert found.f(3) == 6
    assert (sys.argv, warnings.filters) == before[:2]
    assert name == "mine" or sys.modules[name] is before[2]


def test_a_file_in_a_package_imports_its_neighbours(tmp_path, modules):
    folder = tmp_path / "some_package" / "inner"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("from . import neighbour")
    (folder.parent / "__init__.py").write_text("")
    (folder / "neighbour.py").write_text("two = 2")
    (folder / "mine.py").write_text("from .neighbour import two\nfrom .. import inner\n" + RIGHT)
    found = target(f"{folder / 'mine.py'}:double", None, 0)
    assert found.f.__module__ == "some_package.inner.mine"


def test_two_files_with_the_same_name_are_two_modules(tmp_path, modules):
    found = []
    for k in (2, 3):
        (tmp_path / f"{k}").mkdir()
        path = tmp_path / f"{k}" / "mine.py"
        path.write_text(RIGHT.replace("2 * x", f"{k} * x"))
        found.append(target(f"{path}:double", None, 0).f)
    assert [f(1) for f in found] == [2, 3]
    assert found[0].__module__ != found[1].__module__


def test_ctrl_c_while_a_file_loads_ends_the_command(file, capsys):
    assert main(["check", f"{file('raise KeyboardInterrupt')}:double"]) == 130
    assert capsys.readouterr().err == "fcnn: interrupted\n"


def test_check_accepts_a_partial_as_a_function(file):
    text = "import functools\nfrom jax import numpy as jnp\n"
    text += "twice = functools.partial(jnp.multiply, 2.0)\ntwice_args = (jnp.arange(3.0),)\n"
    assert main(["check", f"{file(text)}:twice"]) == 0


def test_check_prints_the_report_in_a_new_process(file, tmp_path):
    """Run the command in a new process, in the folder of the file."""
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


def test_a_closed_pipe_prints_no_traceback():
    """`head` closes the pipe before the command ends: the table exceeds the buffer of a pipe."""
    command = f"{sys.executable} -m fcnn ops | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.stdout.count("\n"), done.stderr) == (1, "")
