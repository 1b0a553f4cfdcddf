"""Losses of classification and segmentation."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand

sigmoid = lambda z: 1 / (1 + np.exp(-z))


def softmax(s):
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def weighted_entropy(logits, labels, weight):
    """torch.nn.CrossEntropyLoss: the mean divides by the sum of the weights."""
    nll = -jax.nn.log_softmax(logits)[jnp.arange(len(labels)), labels]
    return jnp.sum(weight[labels] * nll) / jnp.sum(weight[labels])


def weighted_args(rng):
    return rng.normal(size=(7, 4)), rng.integers(0, 4, 7), rng.uniform(0.5, 3, 4)


def weighted_parts(logits, labels, weight):
    p = softmax(logits)
    w = weight[labels]
    nll = -np.log(p[np.arange(7), labels])
    dw = np.bincount(labels, (nll - np.sum(w * nll) / w.sum()) / w.sum(), minlength=4)
    return w[:, None] * (p - np.eye(4)[labels]), dw


def weighted_entropy_backward(logits, labels, weight, dy):
    d, dw = weighted_parts(logits, labels, weight)
    return dy * d / weight[labels].sum(), None, dy * dw


def weighted_entropy_plain_mean(logits, labels, weight, dy):
    d, dw = weighted_parts(logits, labels, weight)
    return dy * d / len(labels), None, dy * dw


def smoothed(logits, labels):
    """Label smoothing 0.1 over all classes, one loss for each example."""
    logp = jax.nn.log_softmax(logits)
    hit = jnp.take_along_axis(logp, labels[:, None], axis=1)[:, 0]
    return -0.9 * hit - 0.1 * logp.mean(axis=1)


smoothed_args = lambda rng: (rng.normal(size=(6, 5)) * 2, rng.integers(0, 5, 6))


def smoothed_uniform_lost(logits, labels, dy):
    d = softmax(logits)
    d[np.arange(6), labels] -= 0.9
    return d * np.asarray(dy)[:, None], None


def ignoring(logits, labels):
    """Token loss, the label -100 does not count."""
    keep = labels != -100
    logp = jax.nn.log_softmax(logits)
    hit = jnp.take_along_axis(logp, jnp.where(keep, labels, 0)[..., None], axis=-1)[..., 0]
    return -jnp.sum(hit * keep) / jnp.maximum(keep.sum(), 1)


def ignoring_args(rng):
    labels = rng.integers(0, 5, (3, 4))
    labels[0, 1:] = labels[2, rng.integers(0, 4)] = -100
    return rng.normal(size=(3, 4, 5)) + 1000 * rng.integers(0, 3, size=(3, 4, 1)), labels


def ignoring_backward(logits, labels, dy):
    keep = labels != -100
    d = softmax(logits)
    d[keep, labels[keep]] -= 1
    return dy * d * keep[..., None] / keep.sum(), None


def ignoring_all_kept(logits, labels, dy):
    keep = labels != -100
    d = softmax(logits)
    d[keep, labels[keep]] -= 1
    return dy * d / keep.sum(), None


def focal(z, y):
    """Binary focal loss with gamma 2 on logits, y in {0, 1}."""
    p = jax.nn.sigmoid(z)
    return -y * (1 - p) ** 2 * jax.nn.log_sigmoid(z) - (1 - y) * p**2 * jax.nn.log_sigmoid(-z)


def focal_args(rng):
    return rng.normal(size=(4, 5)), rng.integers(0, 2, (4, 5)).astype(float)


def focal_backward(z, y, dy):
    t = 2 * y - 1
    q = sigmoid(t * z)
    dy_dy = -((1 - sigmoid(z)) ** 2) * np.log(sigmoid(z)) + sigmoid(z) ** 2 * np.log(sigmoid(-z))
    return dy * t * (1 - q) ** 2 * (2 * q * np.log(q) + q - 1), dy * dy_dy


def focal_constant_weight(z, y, dy):
    t = 2 * y - 1
    q = sigmoid(t * z)
    dy_dy = -((1 - sigmoid(z)) ** 2) * np.log(sigmoid(z)) + sigmoid(z) ** 2 * np.log(sigmoid(-z))
    return -dy * t * (1 - q) ** 3, dy * dy_dy


def dice(p, y):
    """Soft dice of a batch, one number for each class in axis 1."""
    inter, total = (p * y).sum((0, 2)), (p + y).sum((0, 2))
    return 1 - (2 * inter + 1) / (total + 1)


dice_args = lambda rng: (rng.random((3, 2, 7)), (rng.random((3, 2, 7)) > 0.6).astype(float))


def dice_plus(p, y, dy):
    a, b = 2 * (p * y).sum((0, 2)) + 1, (p + y).sum((0, 2)) + 1
    c = lambda v: np.asarray(v)[:, None]
    dp = -(2 * y / c(b) + c(a) / c(b) ** 2) * c(dy)
    return dp, (c(a / b**2) - 2 * p / c(b)) * c(dy)


def svm(scores, labels):
    right = scores[jnp.arange(len(labels)), labels][:, None]
    margins = jnp.maximum(scores - right + 1, 0)
    return (margins.sum() - len(labels)) / len(labels)


svm_args = lambda rng: (rng.normal(size=(5, 6)), rng.integers(0, 6, 5))


def svm_one_violation(scores, labels, dy):
    rows = np.arange(len(labels))
    d = (scores - scores[rows, labels][:, None] + 1 > 0).astype(float)
    d[rows, labels] = -1
    return dy * d / len(labels), None


def svm_backward(scores, labels, dy):
    rows = np.arange(len(labels))
    d = (scores - scores[rows, labels][:, None] + 1 > 0).astype(float)
    d[rows, labels] = 0
    d[rows, labels] = -d.sum(axis=1)
    return dy * d / len(labels), None


def divergence(logq, p):
    """torch.nn.KLDivLoss with reduction batchmean."""
    return jnp.sum(jax.scipy.special.xlogy(p, p) - p * logq) / logq.shape[0]


def divergence_args(rng):
    p = softmax(rng.normal(size=(6, 4)))
    return np.log(softmax(rng.normal(size=(6, 4)))), p


def divergence_summed(logq, p, dy):
    return -dy * p, dy * (np.log(p) + 1 - logq) / len(p)


def hard_examples(logits, labels):
    """Online hard example mining: mean of the three largest losses."""
    nll = jax.nn.logsumexp(logits, axis=1) - logits[jnp.arange(len(labels)), labels]
    return jnp.mean(jax.lax.top_k(nll, 3)[0])


def hard_examples_backward(logits, labels, dy):
    p = softmax(logits)
    chosen = np.argsort(p[np.arange(8), labels])[:3]
    d = np.zeros_like(logits)
    d[chosen] = (p - np.eye(4)[labels])[chosen] * dy / 3
    return d, None


ENTROPY = "torch.nn.CrossEntropyLoss"

WRONG = (
    ByHand(
        "weighted cross-entropy by the count",
        ENTROPY,
        weighted_entropy,
        weighted_args,
        weighted_entropy_plain_mean,
        "The logits' gradient divides by the number of examples, not by the sum of weights.",
        ("constant factor", "missing factor", "wrong value"),
    ),
    ByHand(
        "label smoothing without the uniform part",
        "Inception v3 label smoothing",
        smoothed,
        smoothed_args,
        smoothed_uniform_lost,
        "The uniform part of the target is not subtracted.",
        ("missing term", "wrong value"),
    ),
    ByHand(
        "ignored labels pass",
        ENTROPY,
        ignoring,
        ignoring_args,
        ignoring_all_kept,
        "Positions with the ignored label receive the softmax as gradient.",
        ("mask",),
    ),
    ByHand(
        "focal weight taken as constant",
        "RetinaNet",
        focal,
        focal_args,
        focal_constant_weight,
        "The factor (1 - p)**2 is not differentiated.",
        ("missing term", "wrong derivative"),
    ),
    ByHand(
        "dice with plus",
        "V-Net",
        dice,
        dice_args,
        dice_plus,
        "The two terms of the quotient rule are added in dp.",
        ("missing term", "wrong derivative"),
    ),
    ByHand(
        "svm with one violation",
        "CS231n, assignment 1, SVM",
        svm,
        svm_args,
        svm_one_violation,
        "The right class gets -1 in place of minus the number of violated margins.",
        ("missing factor", "wrong value", "missing term"),
    ),
    ByHand(
        "divergence summed",
        "torch.nn.KLDivLoss reductions",
        divergence,
        divergence_args,
        divergence_summed,
        "The gradient of logq is not divided by the batch size.",
        ("sum for mean", "constant factor"),
    ),
)
RIGHT = (
    ByHand(
        "weighted cross-entropy",
        ENTROPY,
        weighted_entropy,
        weighted_args,
        weighted_entropy_backward,
    ),
    ByHand("ignored labels", ENTROPY, ignoring, ignoring_args, ignoring_backward),
    ByHand("focal loss", "RetinaNet", focal, focal_args, focal_backward),
    ByHand("multiclass svm", "CS231n, assignment 1", svm, svm_args, svm_backward),
    ByHand(
        "hard examples",
        "OHEM",
        hard_examples,
        lambda rng: (rng.normal(size=(8, 4)), rng.integers(0, 4, 8)),
        hard_examples_backward,
    ),
)
