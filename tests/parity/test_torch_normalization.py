"""Normalization against torch.nn.functional, where channels are the second axis."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from agreement import agree

import fcnn

seeds = pytest.mark.parametrize("seed", range(20))


def draw(seed, least=0):
    """The generator, x (n, *size, c) with `least` to 3 spatial axes, scale, bias and eps."""
    rng = np.random.default_rng(seed)
    n, *size = rng.integers(1, 5, size=1 + rng.integers(least, 4))
    c = rng.integers(1, 7)
    x, scale, bias = (rng.standard_normal(s) for s in ((n, *size, c), c, c))
    return rng, 2 * x + 1, scale, bias, float(10.0 ** rng.integers(-5, 0))


def channels_second(f):
    return lambda x, *rest: f(x.movedim(-1, 1), *rest).movedim(1, -1)


@seeds
def test_layer_norm(seed):
    _, x, scale, bias, eps = draw(seed)
    theirs = lambda x, scale, bias: F.layer_norm(x, x.shape[-1:], scale, bias, eps)
    agree(lambda *a: fcnn.layer_norm(*a, eps=eps), theirs, (x, scale, bias))


@seeds
def test_rms_norm(seed):
    """eps is given, because torch's default is the machine epsilon of the dtype."""
    _, x, scale, _, eps = draw(seed)
    theirs = lambda x, scale: F.rms_norm(x, x.shape[-1:], scale, eps)
    agree(lambda *a: fcnn.rms_norm(*a, eps=eps), theirs, (x, scale))


@seeds
def test_instance_norm(seed):
    """torch rejects an input of a single cell, for which fcnn returns the bias.

    For a single example with y transposed in memory, torch's gradient is wrong (torch 2.13, CPU).
    So x has at least two cells and two examples.
    """
    rng, x, scale, bias, eps = draw(seed, least=1)
    x = np.concatenate([x, x + 1], axis=1)
    x = np.concatenate([x, rng.standard_normal(x.shape)])
    theirs = channels_second(lambda x, *affine: F.instance_norm(x, None, None, *affine, eps=eps))
    agree(lambda *a: fcnn.instance_norm(*a, eps=eps), theirs, (x, scale, bias))


@seeds
def test_group_norm(seed):
    rng, x, scale, bias, eps = draw(seed)
    groups, each = rng.integers(1, 4, size=2).tolist()
    x, scale, bias = (np.repeat(a, groups * each, axis=-1) for a in (x, scale, bias))
    x = x + rng.standard_normal(x.shape)
    groups *= x.shape[-1] // (groups * each)
    theirs = channels_second(lambda x, *affine: F.group_norm(x, groups, *affine, eps))
    agree(lambda *a: fcnn.group_norm(*a, groups=groups, eps=eps), theirs, (x, scale, bias))


@seeds
@pytest.mark.parametrize("train", [True, False])
def test_batch_norm(seed, train):
    """torch's momentum is the weight of the new value. fcnn's is the weight of the old value.

    torch rejects a batch with one entry per channel, and has no gradient for its running values.
    """
    rng, x, scale, bias, eps = draw(seed)
    x = np.concatenate([x, x + rng.standard_normal(x.shape)])
    mean, var = rng.standard_normal(len(scale)), rng.uniform(0.5, 2, len(scale))

    def ours(*a):
        return fcnn.batch_norm(*a, train=train, momentum=0.7, eps=eps)[0]

    def theirs(x, scale, bias, mean=None, var=None):
        return F.batch_norm(x, mean, var, scale, bias, train, 0.3, eps)

    if train:
        agree(lambda *a: ours(*a, mean, var), channels_second(theirs), (x, scale, bias))
    else:  # torch has no gradients of mean and var, so a formula gives them
        agree(
            lambda x, scale, bias: ours(x, scale, bias, mean, var),
            channels_second(lambda *a: theirs(*a, torch.tensor(mean), torch.tensor(var))),
            (x, scale, bias),
        )
        agree(
            ours,
            lambda x, scale, bias, mean, var: (x - mean) / (var + eps).sqrt() * scale + bias,
            (x, scale, bias, mean, var),
        )


@seeds
def test_running_values_of_batch_norm(seed):
    """torch averages unbiased variances, which are N / (N - 1) times fcnn's variances."""
    rng, x, scale, bias, eps = draw(seed)
    x = np.concatenate([x, x + rng.standard_normal(x.shape)])
    mean, var = rng.standard_normal(len(scale)), rng.uniform(0.5, 2, len(scale))
    entries = x.size // x.shape[-1]
    new_mean, new_var = torch.tensor(mean), torch.tensor(var)
    F.batch_norm(torch.tensor(x).movedim(-1, 1), new_mean, new_var, None, None, True, 0.3, eps)
    _, our_mean, our_var = fcnn.batch_norm(
        x, scale, bias, mean, var, train=True, momentum=0.7, eps=eps
    )
    np.testing.assert_allclose(our_mean, new_mean, rtol=1e-10, atol=1e-12)
    unbiased = 0.7 * var + (our_var - 0.7 * var) * entries / (entries - 1)
    np.testing.assert_allclose(unbiased, new_var, rtol=1e-10)
