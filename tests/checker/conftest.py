"""Settings of JAX for tests of functions as users write them."""

import jax
import pytest


@pytest.fixture
def jax_default_promotion():
    """JAX's own settings, as in a script. The other tests forbid promotion."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield
