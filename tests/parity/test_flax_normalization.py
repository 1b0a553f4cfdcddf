"""Batch normalization with a mask, and over a mapped axis, against flax."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen

import fcnn


def problem(seed):
    """(x, scale, bias, mean, var), a mask, and the options."""
    rng = np.random.default_rng(seed)
    n, *size = rng.integers(2, 6, size=1 + rng.integers(0, 3))
    c = rng.integers(1, 5)
    x, scale, bias, mean = (rng.standard_normal(s) for s in ((n, *size, c), c, c, c))
    var, mask = rng.uniform(0.5, 2, c), rng.random((n, *size)) < 0.6
    mask[0] = True
    momentum, eps = rng.uniform(0.1, 0.9), 10.0 ** rng.integers(-5, 0)
    return (
        tuple(map(jnp.asarray, (x, scale, bias, mean, var))),
        jnp.asarray(mask),
        {
            "momentum": float(momentum),
            "eps": float(eps),
        },
    )


def flax_norm(x, scale, bias, mean, var, mask, *, momentum, eps, axis_name=None):
    """Normalize by flax, whose default formula of the variance, E[x^2] - E[x]^2, is turned off.

    The mask of flax has an axis for the channels.
    """
    norm = linen.BatchNorm(
        False, momentum=momentum, epsilon=eps, axis_name=axis_name, use_fast_variance=False
    )
    given = {"params": {"scale": scale, "bias": bias}, "batch_stats": {"mean": mean, "var": var}}
    y, new = norm.apply(given, x, mask=mask[..., None], mutable=["batch_stats"])
    return y, new["batch_stats"]["mean"], new["batch_stats"]["var"]


def answers(f, args):
    y, pull = jax.vjp(f, *args)
    dy = [np.random.default_rng(i).standard_normal(a.shape) for i, a in enumerate(y)]
    return *y, *pull(tuple(map(jnp.asarray, dy)))


def same(ours, theirs, args):
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        wanted = jax.jit(lambda *a: answers(theirs, a))(*args)
    found = jax.jit(lambda *a: answers(ours, a))(*args)
    for a, b in zip(found, wanted, strict=True):
        assert np.abs(a - b).max() <= 1e-10 * max(1, np.abs(b).max())


@pytest.mark.parametrize("seed", range(20))
def test_batch_norm_with_a_mask(seed):
    args, mask, options = problem(seed)
    ours = lambda *a: fcnn.batch_norm(*a, mask, train=True, **options)
    same(ours, lambda *a: flax_norm(*a, mask, **options), args)


@pytest.mark.parametrize("seed", range(3))
def test_batch_norm_over_a_mapped_axis(seed):
    """flax averages the variances of the parts, which are taken about the mean of all parts."""
    (x, *others), mask, options = problem(seed)
    args = (jnp.stack([x, 1 - x]), *others)
    masks = jnp.ones((2, *mask.shape), bool)
    mapped = lambda f: (
        lambda x, *others: jax.vmap(
            lambda x, mask: f(x, *others, mask, axis_name="i", **options), axis_name="i"
        )(x, masks)
    )
    same(mapped(lambda *a, **k: fcnn.batch_norm(*a, train=True, **k)), mapped(flax_norm), args)
