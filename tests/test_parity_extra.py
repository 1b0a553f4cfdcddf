"""Every operator has a parity test. Without torch or flax, pytest collects no parity test."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import fcnn

ROOT = Path(__file__).parents[1]

WITHOUT = """
import sys
import pytest

sys.modules[{missing!r}] = None
sys.exit(pytest.main(["--collect-only", "-n", "0", "-p", "no:cacheprovider", "tests/parity"]))
"""


@pytest.mark.parametrize("missing", ["torch", "flax"])
def test_no_parity_test_is_collected_without_the_library(missing):
    code = WITHOUT.format(missing=missing)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout + done.stderr


def test_every_operator_is_compared_with_another_library():
    """The name of every operator occurs in the text of a parity test."""
    written = "".join(page.read_text() for page in (ROOT / "tests/parity").glob("test_*.py"))
    missing = [op.name for op in fcnn.ops.OPS if not re.search(rf"\b{op.name}\b", written)]
    assert missing == []
