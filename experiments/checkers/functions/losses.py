"""Losses of classification, regression, contrast, ranking and segmentation."""

import jax
import jax.numpy as jnp
from jax import lax

from experiments.checkers.functions.function import Function


def smoothed_cross_entropy(logits, labels):
    """Cross entropy with the target (1 - s) one-hot + s / classes."""
    classes = logits.shape[-1]
    target = 0.9 * jax.nn.one_hot(labels, classes, dtype=logits.dtype) + 0.1 / classes
    return -jnp.mean(jnp.sum(target * jax.nn.log_softmax(logits), axis=-1))


def focal(logits, targets, gamma):
    """-(1 - p_t)^g log p_t for binary targets."""
    log_p = jax.nn.log_sigmoid(jnp.where(targets == 1, logits, -logits))
    return -jnp.sum((-jnp.expm1(log_p)) ** gamma * log_p)


def dice(logits, masks):
    """1 - 2 |P M| / (|P| + |M|) per class over two space axes."""
    p = jax.nn.softmax(logits, axis=1)
    hit = jnp.sum(p * masks, axis=(0, 2, 3))
    total = jnp.sum(p + masks, axis=(0, 2, 3))
    return 1 - (2 * hit + 1) / (total + 1)


def huber(pred, target, weight, delta=0.8):
    """Quadratic near zero and linear beyond delta, weighted per column."""
    r = jnp.abs(pred - target)
    loss = jnp.where(r < delta, 0.5 * r**2, delta * (r - 0.5 * delta))
    return jnp.sum(loss @ weight)


def ctc(logits, labels):
    """Connectionist temporal loss: the forward sums over blanks and labels."""
    logp = jax.nn.log_softmax(logits)
    path = jnp.zeros(2 * labels.shape[0] + 1, int).at[1::2].set(labels)
    skip = (path != 0) & (path != jnp.roll(path, 2))
    low = jnp.full(2, -1e5, logits.dtype)

    def step(alpha, row):
        pad = jnp.concatenate([low, alpha])
        jump = jnp.where(skip, pad[:-2], -1e5)
        return jax.nn.logsumexp(jnp.stack([alpha, pad[1:-1], jump]), axis=0) + row[path], None

    start = jnp.full(path.shape, -1e5, logits.dtype).at[:2].set(logp[0, path[:2]])
    alpha, _ = lax.scan(step, start, logp[1:])
    return -jnp.logaddexp(alpha[-1], alpha[-2])


def pinball(pred, target):
    """max(q e, (q - 1) e) for three quantile levels on the last axis."""
    q = jnp.array([0.1, 0.5, 0.9], pred.dtype)
    e = target[:, None] - pred
    return jnp.mean(jnp.maximum(q * e, (q - 1) * e), axis=0)


def info_nce(anchor, positive, negatives):
    """Cosine logits of one positive and many shared negatives."""
    unit = lambda x: x / jnp.linalg.norm(x, axis=-1, keepdims=True)
    anchor, positive, negatives = unit(anchor), unit(positive), unit(negatives)
    pos = jnp.sum(anchor * positive, axis=-1, keepdims=True)
    logits = jnp.concatenate([pos, anchor @ negatives.T], axis=1) / 0.2
    return jnp.mean(jax.nn.logsumexp(logits, axis=1) - logits[:, 0])


def clip(images, texts, log_scale):
    """Symmetric cross entropy over the matrix of similarities."""
    sim = jnp.exp(log_scale) * images @ texts.T
    rows = jnp.diagonal(jax.nn.log_softmax(sim, axis=1))
    cols = jnp.diagonal(jax.nn.log_softmax(sim, axis=0))
    return -(rows.mean() + cols.mean()) / 2


def triplet(anchors, positives, negatives):
    """max(0, |a - p| - |a - n| + 1)."""
    dist = lambda a, b: jnp.sqrt(jnp.sum(jnp.square(a - b), axis=-1) + 1e-8)
    return jnp.sum(jax.nn.relu(dist(anchors, positives) - dist(anchors, negatives) + 1))


def pairwise_rank(scores, relevance):
    """Logistic loss over all pairs whose relevance differs."""
    gap = scores[:, None] - scores[None, :]
    better = relevance[:, None] > relevance[None, :]
    return jnp.sum(jnp.where(better, jnp.logaddexp(0, -gap), 0))


def arc_margin(x, w, labels):
    """The angle to the true class grows by 0.3 before the softmax."""
    x = x / jnp.linalg.norm(x, axis=1, keepdims=True)
    w = w / jnp.linalg.norm(w, axis=0, keepdims=True)
    cos = 0.99 * x @ w
    true = labels[:, None] == jnp.arange(w.shape[1])
    logits = 4 * jnp.where(true, jnp.cos(jnp.arccos(cos) + 0.3), cos)
    return -jnp.sum(jnp.where(true, jax.nn.log_softmax(logits, axis=1), 0))


def cox(risk, times, events):
    """Negative partial log likelihood of survival times."""
    at_risk = times[None, :] >= times[:, None]
    log_sum = jax.nn.logsumexp(jnp.broadcast_to(risk, at_risk.shape), axis=1, where=at_risk)
    return -jnp.sum(events * (risk - log_sum))


FUNCTIONS = (
    Function(
        "smoothed_cross_entropy",
        smoothed_cross_entropy,
        lambda rng: (rng.normal(size=(6, 4)), rng.integers(0, 4, size=6)),
    ),
    Function(
        "focal",
        focal,
        lambda rng: (
            rng.normal(size=(4, 5)),
            rng.integers(0, 2, size=(4, 5)),
            rng.uniform(1, 3, size=()),
        ),
    ),
    Function(
        "dice",
        dice,
        lambda rng: (rng.normal(size=(2, 3, 4, 5)), rng.uniform(size=(2, 3, 4, 5))),
    ),
    Function(
        "huber",
        huber,
        lambda rng: (
            rng.normal(size=(7, 3)),
            rng.normal(size=(7, 3)),
            rng.uniform(0.5, 1, size=3),
        ),
    ),
    Function(
        "ctc",
        ctc,
        lambda rng: (rng.normal(size=(9, 4)), rng.integers(1, 4, size=3)),
    ),
    Function("pinball", pinball, lambda rng: (rng.normal(size=(8, 3)), rng.normal(size=8))),
    Function(
        "info_nce",
        info_nce,
        lambda rng: (
            rng.normal(size=(4, 4)),
            rng.normal(size=(4, 4)),
            rng.normal(size=(4, 4)),
        ),
    ),
    Function(
        "clip",
        clip,
        lambda rng: (
            rng.normal(size=(5, 5)),
            rng.normal(size=(5, 5)),
            rng.uniform(-1, 0, size=()),
        ),
    ),
    Function(
        "triplet",
        triplet,
        lambda rng: (
            rng.normal(size=(9, 4)),
            rng.normal(size=(9, 4)),
            rng.normal(size=(9, 4)),
        ),
    ),
    Function(
        "pairwise_rank",
        pairwise_rank,
        lambda rng: (rng.normal(size=8), rng.permutation(8) // 2),
    ),
    Function(
        "arc_margin",
        arc_margin,
        lambda rng: (
            rng.normal(size=(5, 3)),
            rng.normal(size=(3, 4)),
            rng.integers(0, 4, size=5),
        ),
    ),
    Function(
        "cox",
        cox,
        lambda rng: (
            rng.normal(size=7),
            rng.permutation(7),
            rng.permutation(7) % 2,
        ),
    ),
)
