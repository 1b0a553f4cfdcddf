"""Remove hijax from JAX in every process that has this folder on its path:

    PYTHONPATH=$PWD/tests/without_hijax pytest --ignore tests/ops/test_hijax.py

Python imports this file when it starts. Without hijax, each import of fcnn gives a warning, which
test_hijax.py checks. This file hides the warning, because some tests start programs and compare
their stderr.
"""

import sys
import warnings

sys.modules["jax.experimental.hijax"] = None
warnings.filterwarnings("ignore", message="fcnn: jax .* breaks hijax")
