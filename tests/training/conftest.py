"""Allow optax's bias correction decay ** count: strict promotion rejects the int32 count."""

import jax
import pytest


@pytest.fixture(autouse=True)
def _standard_promotion():
    with jax.numpy_dtype_promotion("standard"):
        yield
