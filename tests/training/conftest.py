"""optax's bias correction is decay ** count with an int32 count, which strict promotion rejects."""

import jax
import pytest


@pytest.fixture(autouse=True)
def _standard_promotion():
    with jax.numpy_dtype_promotion("standard"):
        yield
