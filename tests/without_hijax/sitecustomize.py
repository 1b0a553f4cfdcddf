"""A JAX without hijax, for all processes that start with this folder on their path:

    PYTHONPATH=$PWD/tests/without_hijax pytest --ignore tests/ops/test_hijax.py

Python imports this file when it starts. Each import of fcnn then warns, as test_hijax.py checks.
Programs that tests start do not show the warning, since those tests compare stderr.
"""

import sys
import warnings

sys.modules["jax.experimental.hijax"] = None
warnings.filterwarnings("ignore", message="fcnn: jax .* breaks hijax")
