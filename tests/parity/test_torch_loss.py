"""Every loss of torch.nn.functional that is here too, summed per example, logits of up to ±1e3."""

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
    """(n, k) and (n,): ragged, down to one example of one class."""
    rng = np.random.default_rng(seed)
    n, k = rng.integers(1, 7, size=2)
    return rng, numbers(rng, (n, k)), rng.integers(0, k, n)


@twenty
def test_distances(seed):
    """Halves and means are ours: theirs gives one number per entry."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 5, size=rng.integers(1, 4)))
    y, t = numbers(rng, shape), numbers(rng, shape)
    t = np.where(rng.random(shape) < 0.2, y, t)  # some are met
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
    how = {"label_smoothing": smoothing, "ignore_index": ignored}
    theirs = lambda z, t, w=None, **how: F.cross_entropy(z, t, w, reduction="none", **how)
    agree(fcnn.softmax_cross_entropy, theirs, (z, labels))
    agree(
        lambda z, t: fcnn.softmax_cross_entropy(z, t, **how),
        lambda z, t: theirs(z, t, **how),
        (z, labels),
    )
    w = rng.uniform(0, 2, z.shape[1])  # theirs has no gradient for the weights
    agree(
        lambda z, t: fcnn.softmax_cross_entropy(z, t, w, **how),
        lambda z, t: theirs(z, t, torch.tensor(w), **how),
        (z, labels),
    )


@twenty
def test_soft_targets(seed):
    rng, z, _ = logits_and_labels(seed)
    t = rng.dirichlet(np.ones(z.shape[1]), len(z))
    agree(fcnn.soft_cross_entropy, lambda z, t: F.cross_entropy(z, t, reduction="none"), (z, t))


@twenty
def test_nll(seed):
    _, z, labels = logits_and_labels(seed)
    agree(fcnn.nll, lambda z, t: F.nll_loss(z, t, reduction="none"), (z, labels))


@twenty
def test_divergence(seed):
    rng, z, _ = logits_and_labels(seed)
    p = rng.dirichlet(np.ones(z.shape[1]), len(z))
    theirs = lambda q, p: F.kl_div(q, p, reduction="none").sum(-1)
    agree(fcnn.kl_divergence, theirs, (z, p))
    p[rng.random(p.shape) < 0.3] = 0  # their gradient for such p is NaN
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
    """torchvision's sigmoid_focal_loss, written out; it has no gradient for targets between."""
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
    """Theirs is divided by the number of classes."""
    rng, z, labels = logits_and_labels(seed)
    margin = rng.uniform(0.1, 3)
    theirs = lambda z, t: F.multi_margin_loss(z, t, margin=margin, reduction="none") * z.shape[1]
    agree(lambda z, t: fcnn.hinge(z, t, margin=margin), theirs, (z, labels))
