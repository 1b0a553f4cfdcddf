"""Adding an operator takes one file and one line. Every generic suite then runs on the operator."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import test_contracts
import test_gradients

from fcnn.checker.compiled import exactly
from fcnn.ops import Case

ROOT = Path(__file__).parents[2]
MAIN = ("ops/test_gradients.py", "ops/test_contracts.py", "ops/test_pages.py")
OTHERS = (
    "ops/test_extremes.py",
    "ops/test_meshes.py",
    "ops/test_symbolic_batch.py",
    "ops/test_transformations.py",
    "test_docstrings.py",
)

PAGE = '''"""Half of x.

    y = x / 2          dx = dy / 2

Nothing is saved.
"""

from jaxtyping import Array, Float

from fcnn.ops.case import Case, extreme, ints, normals, rejects
from fcnn.ops.op import operator
from fcnn.ops.validation import require_floats

X = Float[Array, "n ..."]


@operator()
def halve(x: X) -> X:
    """Half of every entry.

    Shapes: x (n, ...) -> y (n, ...).
    Units:  those of x.
    Raises: TypeError if x does not hold floats.
    Cost:   one multiplication per entry.
    Source: this test.

    >>> fcnn.halve(jnp.array([1.0, 3.0]))
    Array([0.5, 1.5], dtype=float32)
    """
    return x / 2


@halve.fwd
def halve_fwd(x):
    return halve.forward(x), ()


@halve.bwd
def halve_bwd(saved, dy):
    return (dy / 2,)


@halve.validate
def _validate(x):
    require_floats(x=x)


halve.cases = (
    Case("rows", ((4, 3),)),
    extreme("huge", normals((4, 3), 1e9)),
    rejects("x holds int32", ints((3,)), kind=TypeError),
)
'''
LINE = "from fcnn.ops.halve import halve as halve\n"

ONLY_IT = """
import fcnn

assert fcnn.halve in fcnn.OPS and "halve" in fcnn.__all__
fcnn.ops.OPS, fcnn.__all__ = (fcnn.halve,), ["halve"]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of fcnn and its tests, with the page of the new operator and the line that imports it.

    The copied tests run only on the new operator. Collecting the tests of all operators would take
    most of the time.
    """
    folder = tmp_path_factory.mktemp("project")
    for name in ("fcnn", "tests"):  # with __pycache__, which saves seconds
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "fcnn/ops/halve.py").write_text(PAGE)
    exports, conftest = folder / "fcnn/ops/__init__.py", folder / "tests/conftest.py"
    before, mark, after = exports.read_text().partition("from fcnn.ops.loss")
    assert mark
    exports.write_text(before + LINE + mark + after)
    conftest.write_text(conftest.read_text() + ONLY_IT)
    return folder


def run(project, files, *options):
    """Run the tests in `files` whose ids contain halve. Return exit code, outcomes and output."""
    command = f"{sys.executable} -m pytest -n0 -vv -p no:cacheprovider -k halve".split()
    command += [*options, *(f"tests/{name}" for name in files)]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    outcomes = re.findall(r"(\w+\.py)::(\w+)\[.*\] (\w+)", done.stdout)
    return done.returncode, outcomes, done.stdout


def test_generic_suites_pass_on_a_new_operator(tmp_path):
    """Call the test functions directly, on an operator whose module is outside fcnn."""
    path = tmp_path / "halve.py"
    path.write_text(PAGE)
    spec = importlib.util.spec_from_file_location("halve", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    halve = module.halve
    rows, _, bad = halve.cases
    with exactly():
        test_gradients.test_gradient(halve, rows, {})
        halve.bwd(lambda saved, dy: (dy / 3,))
        with pytest.raises(AssertionError, match="verdict='wrong'"):
            test_gradients.test_gradient(halve, Case("wrong", rows.args), {})
    test_contracts.test_dtype_is_kept(halve, rows, {})
    test_contracts.test_error_names_the_problem(halve, bad, {})
    test_contracts.test_operator_is_complete(halve)


SECONDS = "10 to 20 seconds; the first tier calls the main tests on a new operator in this process"


@pytest.mark.all(SECONDS)
def test_generic_suites_run_on_a_new_operator(project):
    code, outcomes, output = run(project, MAIN)
    assert code == 0, output
    assert {Path(name).name for name in MAIN} == {name for name, _, _ in outcomes}
    assert ("test_gradients.py", "test_gradient", "PASSED") in outcomes


@pytest.mark.all(SECONDS)
def test_all_other_generic_suites_run_on_a_new_operator(project):
    code, outcomes, output = run(project, OTHERS, "--all")
    assert code == 0, output
    assert {Path(name).name for name in OTHERS} == {name for name, _, _ in outcomes}


@pytest.mark.all(SECONDS)
def test_a_wrong_gradient_of_a_new_operator_fails(project):
    page = project / "fcnn/ops/halve.py"
    page.write_text(PAGE.replace("(dy / 2,)", "(dy / 3,)"))
    code, outcomes, _ = run(project, ["ops/test_gradients.py"])
    page.write_text(PAGE)
    assert code == 1
    assert ("test_gradients.py", "test_gradient", "FAILED") in outcomes
