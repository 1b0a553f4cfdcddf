"""Docstrings document every parameter, and their examples run under JAX's default settings."""

import doctest
import inspect
import json
import re
import subprocess
import sys

import pytest

import fcnn
from fcnn.layers import initializers, parameter_free


def functions(*modules):
    """The public functions and operators of modules, by full name."""
    public = lambda module: getattr(module, "__all__", vars(module))
    found = [(m.__name__, name, getattr(m, name)) for m in modules for name in public(m)]
    return {
        f"{module}.{name}": value
        for module, name, value in found
        if inspect.isfunction(value) or isinstance(value, fcnn.Op)
        if value.__module__.startswith(module) and not name.startswith("_")
    }


PUBLIC = functions(fcnn, fcnn.data, fcnn.data.augment, fcnn.data.series, fcnn.data.text)
DATA = {name: function for name, function in PUBLIC.items() if name.startswith("fcnn.data.")}
WITHOUT_PARAMETERS = {f"fcnn.layers.{name}" for name in parameter_free.__all__}
OTHERS = {  # functions that may lack an example
    name: function
    for name, function in functions(fcnn.layers, initializers, fcnn.models, fcnn.training).items()
    if name not in WITHOUT_PARAMETERS - {"fcnn.layers.flatten"}
}
HEADINGS = ("Shapes:", "Options:", "Units:", "Raises:", "Cost:", "Source:")

RUN_ALL = """
import contextlib, doctest, io, json, sys
import jax, jax.numpy as jnp, numpy as np
import fcnn

failures = {}
for name in json.load(sys.stdin):
    module, _, attribute = name.rpartition(".")
    doc = getattr(eval(module), attribute).__doc__
    globs = {"fcnn": fcnn, "jax": jax, "jnp": jnp, "np": np}
    test = doctest.DocTestParser().get_doctest(doc, globs, name, None, None)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test)
    if result.failed:
        failures[name] = out.getvalue()
print(json.dumps(failures))
"""


@pytest.fixture(scope="session")
def failures(once):
    """Failures of all examples, run in one process under JAX's default settings."""

    def run_all():
        names = json.dumps([*PUBLIC, *OTHERS])
        program = [sys.executable, "-c", RUN_ALL]
        done = subprocess.run(program, input=names, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return once("failures of examples", run_all)


@pytest.mark.parametrize("name", PUBLIC)
def test_the_example_of_a_public_function_passes(name, failures):
    assert doctest.DocTestParser().get_examples(PUBLIC[name].__doc__), "needs a >>> example"
    assert name not in failures, failures[name]


@pytest.mark.parametrize("name", OTHERS)
def test_other_examples_pass(name, failures):
    assert name not in failures, failures[name]


@pytest.mark.parametrize(
    "name", [n for n in OTHERS if n.startswith(("fcnn.layers", "fcnn.models"))]
)
def test_every_layer_and_model_has_an_example(name):
    if not name.startswith((initializers.__name__, "fcnn.layers.Call", "fcnn.layers.Plan")):
        assert doctest.DocTestParser().get_examples(OTHERS[name].__doc__), "needs a >>> example"


@pytest.mark.parametrize("name", [*OTHERS, *DATA])
def test_every_parameter_is_documented(name):
    """The docstring names every parameter, except key and shape of an initializer."""
    function = (OTHERS | DATA)[name]
    names = set(inspect.signature(function).parameters)
    names -= {"key", "shape"} if name.startswith(initializers.__name__) else set()
    missing = [n for n in sorted(names) if not re.search(rf"\b{n}\b", function.__doc__)]
    assert missing == []


@pytest.mark.parametrize("name", DATA)
def test_docstrings_of_data_functions_have_the_standard_headings(name):
    """Headings have the standard order. Only `Units:` may be missing."""
    found = re.findall(r"^(\w+:)(?= |$)", inspect.cleandoc(DATA[name].__doc__), re.MULTILINE)
    found = [heading for heading in found if heading in HEADINGS]
    assert found == [h for h in HEADINGS if h != "Units:" or h in found]


@pytest.mark.parametrize("op", fcnn.ops.OPS, ids=lambda op: op.name)
def test_every_option_is_documented(op):
    doc = inspect.cleandoc(op.__doc__)  # Python 3.13 removes the indentation itself
    options = re.search(r"^Options:\n(.*?)\n\w+:", doc + "\nend:", re.DOTALL | re.MULTILINE)
    documented = re.findall(r"^ {4}(\w+(?:, \w+)*):", options[1], re.MULTILINE) if options else []
    names = {name for line in documented for name in line.split(", ")}
    assert names == op.static, f"documented {sorted(names)}, has {sorted(op.static)}"


@pytest.mark.parametrize("op", fcnn.ops.OPS, ids=lambda op: op.name)
def test_docstrings_of_operators_have_the_standard_headings(op):
    """Headings have the standard order. Only an operator without options lacks `Options:`."""
    found = re.findall(r"^(\w+:)(?= |$)", inspect.cleandoc(op.__doc__), re.MULTILINE)
    found = [heading for heading in found if heading in HEADINGS]
    assert found == [h for h in HEADINGS if h != "Options:" or op.static]
