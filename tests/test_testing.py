"""fcnn.testing.assert_gradients."""

import jax.numpy as jnp
import numpy as np
import pytest

from fcnn.testing import assert_gradients

X = np.random.default_rng(0).standard_normal((3, 4))


def test_a_right_gradient_passes():
    assert_gradients(jnp.tanh, (X,), backward=lambda x, dy: (dy * (1 - jnp.tanh(x) ** 2),), order=2)


def test_a_wrong_gradient_raises_an_error_with_the_report():
    with pytest.raises(AssertionError) as failed:
        assert_gradients(jnp.tanh, (X,), backward=lambda x, dy: (dy * (1 - x**2),))
    assert "dx: is dy (1 − x²): compare it with dy f′(x)" in str(failed.value)
    assert "verdict" in str(failed.value)
