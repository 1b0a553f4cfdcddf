"""Imports point one way: a level imports no later level, and fcnn imports no experiment."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import fcnn

ORDER = ("installation", "ops", "bench", "checker", "layers", "models", "data", "training")
ORDER += ("testing", "__init__", "cli", "__main__")
ROOT = Path(fcnn.__path__[0])
MODULES = sorted(ROOT.rglob("*.py"))


def level(path):
    return ORDER.index(path.relative_to(ROOT).parts[0].removesuffix(".py"))


def imported(path):
    """The full names that a module imports, such as fcnn.x.y."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path):
    for name in imported(path):
        assert not name.startswith("experiments"), f"{path} imports {name}"
        top, _, rest = name.partition(".")
        if top == "fcnn" and rest.split(".")[0] in ORDER:
            assert ORDER.index(rest.split(".")[0]) <= level(path), f"{path} imports {name}"


def test_only_one_module_imports_hijax():
    users = [p.name for p in MODULES if any("experimental.hijax" in n for n in imported(p))]
    assert users == ["hijax_primitive.py"]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_device_is_named(path):
    """Only "cpu" may be named, because operators have other default implementations on a CPU."""
    text = path.read_text()
    for name in ("jax.devices(", '"gpu"', "'gpu'", '"cuda"', '"tpu"'):
        assert name not in text


TRACED = [p for p in MODULES if p.relative_to(ROOT).parts[0] in ("ops", "layers", "models")]
# Attributes that arrays have and tuples lack.
OF_ARRAYS = ("shape", "dtype", "ndim", "astype", "reshape")


@pytest.mark.parametrize("path", TRACED, ids=lambda p: str(p.relative_to(ROOT)))
def test_sizes_are_read_from_shapes(path):
    """len(x) must be an int, so it fails if the first axis of x is symbolic. x.shape[0] works."""
    tree = ast.parse(path.read_text())
    arrays = set()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(ast.Name(name), attribute) if attribute in OF_ARRAYS:
                arrays.add(name)
    for node in ast.walk(tree):
        match node:
            case ast.Call(ast.Name("len"), [ast.Name(name)]):
                assert name not in arrays, f"line {node.lineno}: write {name}.shape[0]"


def test_importing_starts_no_backend_and_imports_no_lazy_module():
    """jax.distributed and most settings of JAX must be set before a backend starts."""
    program = """
import sys, fcnn
from importlib import metadata
from jax._src import xla_bridge
assert not xla_bridge.backends_are_initialized()
assert "optax" not in sys.modules and "fcnn.checker" not in sys.modules
assert fcnn.check is fcnn.checker.check and fcnn.testing and fcnn.Report
assert fcnn.training.fit and fcnn.data.augment
assert not xla_bridge.backends_are_initialized()
assert fcnn.__version__ == metadata.version("fcnn")
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    with pytest.raises(AttributeError, match="no attribute 'chek'"):
        _ = fcnn.chek


def test_names_of_test_modules_are_unique():
    """Pytest imports a test module by the name of its file, and a second one of that name fails."""
    tests = Path(__file__).parent
    names = Counter(path.name for path in tests.rglob("*.py") if path.name != "conftest.py")
    assert [name for name, count in names.items() if count > 1] == []
