"""A JAX without hijax, for all processes that start with this folder on their path:

    PYTHONPATH=tests/without_hijax pytest -W "ignore:fcnn"

Each import of fcnn then warns, as tests/ops/test_hijax.py checks. Programs that tests start do not
show that warning, since those tests compare stderr.
"""

import sys
import warnings

sys.modules["jax.experimental.hijax"] = None  # type: ignore[assignment]
warnings.filterwarnings("ignore", message="fcnn")
