"""Losses against torch.nn.functional, summed per example, with logits of magnitude 1 to 1e3."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from agreement import agree

import fcnn

twenty = pytest.mark.parametrize("seed", range(20))


def per_example(loss):
    return loss.reshape(len(loss), -1).sum(1)


def numbers(rng, shape):
    return rng.standard_normal(shape) * rng.choice([1, 30, 1e3])


def logits_and_labels(seed):
    """The generator, logits (n, k) and labels (n,), for n and k from 1 to 6."""
    rng = np.random.default_rng(seed)
    n, k = rng.integers(1, 7, size=2)
    return rng, numbers(rng, (n, k)), rng.integers(0, k, n)


@twenty
def test_regression_losses(seed):
    """torch's losses per entry have no factor 1/2 and no factor 1 / (number of entries)."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 5, size=rng.integers(1, 4)))
    y, t = numbers(rng, shape), numbers(rng, shape)
    t = np.where(rng.random(shape) < 0.2, y, t)  # some differences are 0
    delta, entries = rng.uniform(0.1, 3), y.size // len(y)
    both = lambda loss: lambda y, t: per_example(loss(y, t, reduction="none"))
    agree(fcnn.squared_error, lambda y, t: both(F.mse_loss)(y, t) / 2, (y, t))
    agree(fcnn.mean_squared_error, lambda y, t: both(F.mse_loss)(y, t) / entries, (y, t))
    agree(fcnn.absolute_error, both(F.l1_loss), (y, t))
    theirs = lambda y, t: per_example(F.huber_loss(y, t, reduction="none", delta=delta))
    agree(lambda y, t: fcnn.huber(y, t, delta=delta), theirs, (y, t))


@twenty
def test_softmax_cross_entropy(seed):
    rng, z, labels = logits_and_labels(seed)
    smoothing, ignored = rng.uniform(0, 1), int(rng.integers(0, z.shape[1]))
    options = {"label_smoothing": smoothing, "ignore_index": ignored}
    theirs = lambda z, t, w=None, **options: F.cross_entropy(z, t, w, reduction="none", **options)
    agree(fcnn.softmax_cross_entropy, theirs, (z, labels))
    agree(
        lambda z, t: fcnn.softmax_cross_entropy(z, t, **options),
        lambda z, t: theirs(z, t, **options),
        (z, labels),
    )
    w = rng.uniform(0, 2, z.shape[1])  # torch has no gradient for the weights
    agree(
        lambda z, t: fcnn.softmax_cross_entropy(z, t, w, **options),
        lambda z, t: theirs(z, t, torch.tensor(w), **options),
        (z, labels),
    )


@twenty
def test_soft_cross_entropy(seed):
    rng, z, _ = logits_and_labels(seed)
    t = rng.dirichlet(np.ones(z.shape[1]), len(z))
    agree(fcnn.soft_cross_entropy, lambda z, t: F.cross_entropy(z, t, reduction="none"), (z, t))


@twenty
def test_nll(seed):
    _, z, labels = logits_and_labels(seed)
    agree(fcnn.nll, lambda z, t: F.nll_loss(z, t, reduction="none"), (z, labels))


@twenty
def test_kl_divergence(seed):
    rng, z, _ = logits_and_labels(seed)
    p = rng.dirichlet(np.ones(z.shape[1]), len(z))
    theirs = lambda q, p: F.kl_div(q, p, reduction="none").sum(-1)
    agree(fcnn.kl_divergence, theirs, (z, p))
    p[rng.random(p.shape) < 0.3] = 0  # where p is 0, torch's gradient of p is NaN
    agree(lambda q: fcnn.kl_divergence(q, p), lambda q: theirs(q, torch.tensor(p)), (z,))


@twenty
def test_sigmoid_cross_entropy(seed):
    rng, z, _ = logits_and_labels(seed)
    t = rng.uniform(0, 1, z.shape) if seed % 2 else rng.integers(0, 2, z.shape).astype(float)
    theirs = F.binary_cross_entropy_with_logits
    agree(
        fcnn.sigmoid_cross_entropy,
        lambda z, t: per_example(theirs(z, t, reduction="none")),
        (z, t),
    )


@twenty
def test_focal(seed):
    """The reference is the formula of torchvision's sigmoid_focal_loss.

    Targets are 0 or 1. For other targets, fcnn's focal has another value.
    """
    rng, z, _ = logits_and_labels(seed)
    t, alpha, gamma = (
        rng.integers(0, 2, z.shape).astype(float),
        rng.uniform(0, 1),
        rng.uniform(1, 3),
    )

    def theirs(z):
        t_ = torch.tensor(t)
        p = torch.sigmoid(z)
        loss = F.binary_cross_entropy_with_logits(z, t_, reduction="none")
        right = p * t_ + (1 - p) * (1 - t_)
        return ((alpha * t_ + (1 - alpha) * (1 - t_)) * loss * (1 - right) ** gamma).sum(1)

    agree(lambda z: fcnn.focal(z, t, alpha=alpha, gamma=gamma), theirs, (z,))


@twenty
def test_hinge(seed):
    """torch divides the loss by the number of classes."""
    rng, z, labels = logits_and_labels(seed)
    margin = rng.uniform(0.1, 3)
    theirs = lambda z, t: F.multi_margin_loss(z, t, margin=margin, reduction="none") * z.shape[1]
    agree(lambda z, t: fcnn.hinge(z, t, margin=margin), theirs, (z, labels))
