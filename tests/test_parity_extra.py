"""Parity with other frameworks is an extra: without them its tests are not even collected."""

import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT = """
import sys
import pytest

sys.modules[{missing!r}] = None
sys.exit(pytest.main(["--collect-only", "-n", "0", "-p", "no:cacheprovider", "tests/parity"]))
"""


@pytest.mark.parametrize("missing", ["torch", "flax"])
def test_nothing_is_collected_without(missing):
    code = WITHOUT.format(missing=missing)
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout + done.stderr
