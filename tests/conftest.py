"""Strict settings: float64, no implicit promotion, full precision, every annotation checked.

Tests spend more time compiling programs than running them, so the slow passes of LLVM are off, and
jaxlib 0.10 makes kernels by XLA's older emitters, in 0.4 times the time. Flags of the environment
come last and decide, so `.ci/run` can repeat the proofs with the kernels of XLA's default. XLA ends
a process that sets an unknown flag, so these flags are set only for versions that were tested.
"""

import fcntl
import json
import os
from importlib.metadata import version

os.environ["XLA_FLAGS"] = (
    "--xla_force_host_platform_device_count=4 "
    + (
        "--xla_cpu_parallel_codegen_split_count=1 --xla_backend_optimization_level=0 "
        "--xla_llvm_disable_expensive_passes=true "
        if tuple(map(int, version("jaxlib").split(".")[:2])) <= (0, 12)
        else ""
    )
    + ("--xla_cpu_use_fusion_emitters=false " if version("jaxlib").startswith("0.10.") else "")
    + os.environ.get("XLA_FLAGS", "")
)
os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"  # child processes read it too

import jax
import pytest
from typecheck import check_annotations_of

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_default_matmul_precision", "highest")

check_annotations_of("fcnn")


def pytest_addoption(parser):
    parser.addoption(
        "--all", action="store_true", help="run the second tier too: tests with @pytest.mark.all"
    )


def pytest_configure(config):
    config.addinivalue_line(
        "markers",
        "all(reason): second tier, run with --all only; the reason names the cost of the test, and "
        "the test of the first tier that proves the same for fewer cases",
    )


def pytest_collection_modifyitems(config, items):
    """Deselect the second tier without --all. A mark without a reason is an error."""
    second = [item for item in items if item.get_closest_marker("all")]
    for item in second:
        if not item.get_closest_marker("all").args[0]:
            raise pytest.UsageError(f"{item.nodeid}: @pytest.mark.all needs a reason")
    if second and not config.getoption("all"):
        config.hook.pytest_deselected(items=second)
        items[:] = [item for item in items if not item.get_closest_marker("all")]


@pytest.fixture
def key():
    return jax.random.key(0)


@pytest.fixture(scope="session")
def once(tmp_path_factory, request):
    """A function (name, make): the result of make(), which one of all workers computes, as JSON."""
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        folder = folder.parent  # of all workers of this run

    def get(name, make):
        with open(folder / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            path = folder / f"{name}.json"
            if not path.exists():
                path.write_text(json.dumps(make()))
            return json.loads(path.read_text())

    return get
