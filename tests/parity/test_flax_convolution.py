"""Convolution against flax.linen, with padding modes, and transposed convolution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen

import fcnn


def same(ours, theirs, *arrays):
    """Assert that the values and all gradients agree to 1e-10 of the largest entry."""

    def run(f):
        y, pull = jax.vjp(f, *arrays)
        return y, *pull(jnp.cos(y))

    for a, b in zip(jax.jit(lambda: run(ours))(), jax.jit(lambda: run(theirs))(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10 * max(1, np.abs(b).max()))


def layer(kind, features, window, **options):
    made = kind(features, window, param_dtype=float, **options)
    return lambda x, w, b: made.apply({"params": {"kernel": w, "bias": b}}, x)


@pytest.mark.parametrize("seed", range(7))
@pytest.mark.parametrize("padding", ["CIRCULAR", "REFLECT", "CAUSAL"])
def test_conv(padding, seed):
    """In flax, padding does not depend on the stride. "CAUSAL" works for one spatial axis only."""
    rng = np.random.default_rng(seed)
    rank = 1 if padding == "CAUSAL" else 1 + seed % 2
    size = tuple(map(int, rng.integers(5, 9, size=rank)))
    window, stride, d = (tuple(map(int, rng.integers(1, most, size=rank))) for most in (4, 3, 3))
    c, o = map(int, rng.integers(1, 4, size=2))
    x, w, b = map(rng.standard_normal, ((2, *size, c), (*window, c, o), (o,)))
    span = [r * (k - 1) for k, r in zip(window, d, strict=True)]
    around = tuple((s // 2, s - s // 2) for s in span)
    ours = {
        "CIRCULAR": {"padding": around, "padding_mode": "wrap"},
        "REFLECT": {"padding": around, "padding_mode": "reflect"},
        "CAUSAL": {"padding": "causal"},
    }[padding]
    theirs = layer(linen.Conv, o, window, strides=stride, kernel_dilation=d, padding=padding)
    options = {"stride": stride, "dilation": d, **ours}
    same(lambda x, w, b: fcnn.conv(x, w, b, **options), theirs, *map(jnp.asarray, (x, w, b)))


@pytest.mark.parametrize("seed", range(6))
def test_conv_transpose(seed):
    """flax flips the kernel of a transposed convolution, and fcnn does not."""
    rng = np.random.default_rng(seed)
    size, window, stride = (tuple(map(int, rng.integers(1, most, size=2))) for most in (6, 4, 4))
    window = tuple(max(k, s) for k, s in zip(window, stride, strict=True))
    c, o = map(int, rng.integers(1, 4, size=2))
    x, w, b = map(rng.standard_normal, ((2, *size, c), (*window, c, o), (o,)))
    theirs = layer(linen.ConvTranspose, o, window, strides=stride, padding="VALID")
    ours = lambda x, w, b: fcnn.conv_transpose(x, jnp.flip(w, (0, 1)), b, stride=stride)
    same(ours, theirs, *map(jnp.asarray, (x, w, b)))
