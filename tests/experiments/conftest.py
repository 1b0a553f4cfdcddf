"""Settings of JAX for experiments that run in the process of the tests."""

import jax
import pytest


@pytest.fixture
def jax_defaults():
    """JAX's own settings, as a run has them. The other tests use float64 and forbid promotion."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        with jax.enable_x64(False):
            yield
