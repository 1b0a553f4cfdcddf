"""Losses of regression, detection and metric learning."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand

sigmoid = lambda z: 1 / (1 + np.exp(-z))


def softmax(s):
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def huber(x, y, delta):
    d = x - y
    inside = jnp.abs(d) <= delta
    return jnp.mean(jnp.where(inside, 0.5 * d**2, delta * (jnp.abs(d) - 0.5 * delta)))


def huber_args(rng):
    y = rng.integers(-2, 3, size=(6, 4)).astype(float)
    return y + rng.integers(-3, 4, size=(6, 4)) * 0.5, y, np.asarray(0.5)


def huber_free_args(rng):
    return rng.normal(size=(6, 4)) * 2, rng.normal(size=(6, 4)), np.asarray(0.7)


def huber_backward(x, y, delta, dy):
    d = np.clip(x - y, -delta, delta) / x.size * dy
    far = np.maximum(np.abs(x - y) - delta, 0)
    return d, -d, dy * far.sum() / x.size


def huber_unit_slope(x, y, delta, dy):
    d = np.where(np.abs(x - y) <= delta, x - y, np.sign(x - y)) / x.size * dy
    far = np.maximum(np.abs(x - y) - delta, 0)
    return d, -d, dy * far.sum() / x.size


def triplet(a, p, n):
    gap = jnp.sum((a - p) ** 2, -1) - jnp.sum((a - n) ** 2, -1) + 0.5
    return jnp.sum(jnp.maximum(gap, 0))


triplet_args = lambda rng: tuple(rng.normal(size=(8, 4)) for _ in range(3))


def triplet_exchanged(a, p, n, dy):
    active = np.sum((a - p) ** 2, -1) - np.sum((a - n) ** 2, -1) + 0.5 > 0
    g = 2 * dy * active[:, None]
    return g * (n - p), g * (a - n), g * (p - a)


def clip_loss(image, text, log_scale):
    """CLIP: cross-entropy along rows and along columns."""
    s = jnp.exp(log_scale) * image @ text.T
    rows, cols = jax.nn.logsumexp(s, axis=1), jax.nn.logsumexp(s, axis=0)
    return jnp.mean(0.5 * (rows + cols) - jnp.diagonal(s))


def clip_args(rng):
    return rng.normal(size=(6, 3)), rng.normal(size=(6, 3)), np.asarray(rng.normal() * 0.3)


def clip_pass(image, text, log_scale, dy, columns):
    t = np.exp(log_scale)
    s = t * image @ text.T
    ds = dy * (0.5 * softmax(s) + 0.5 * columns(s) - np.eye(6)) / 6
    return t * ds @ text, t * ds.T @ image, np.sum(ds * s)


def clip_loss_backward(image, text, log_scale, dy):
    return clip_pass(image, text, log_scale, dy, lambda s: softmax(s.T).T)


def distances(x, y):
    """Euclidean distance matrix, 0 where two points are equal."""
    d2 = jnp.sum((x[:, None] - y) ** 2, axis=-1)
    return jnp.where(d2 > 0, jnp.sqrt(jnp.where(d2 > 0, d2, 1)), 0)


def distances_args(rng):
    x = rng.normal(size=(5, 3))
    return x, np.concatenate([x[1:4], rng.normal(size=(2, 3))])


def distances_divided(x, y, dy):
    diff = x[:, None] - y
    with np.errstate(invalid="ignore"):
        u = dy[..., None] * diff / np.linalg.norm(diff, axis=-1, keepdims=True)
    return u.sum(1), -u.sum(0)


def distances_backward(x, y, dy):
    diff = x[:, None] - y
    d = np.linalg.norm(diff, axis=-1)
    u = np.divide(dy, d, out=np.zeros_like(d), where=d > 0)
    return u.sum(1)[:, None] * x - u @ y, u.sum(0)[:, None] * y - u.T @ x


def variation(x):
    return jnp.sum(jnp.sqrt(jnp.diff(x) ** 2 + 0.1))


def variation_open_end(x, dy):
    dx = np.zeros_like(x)
    for i in range(1, len(x) - 1):
        left, right = x[i] - x[i - 1], x[i + 1] - x[i]
        dx[i] = left / np.sqrt(left**2 + 0.1) - right / np.sqrt(right**2 + 0.1)
    return (dy * dx,)


def wasserstein(x, y):
    return jnp.mean((jnp.sort(x) - jnp.sort(y)) ** 2)


def wasserstein_ranks(x, y, dy):
    rank = np.argsort(np.argsort(x))
    d = 2 * dy * (x - np.sort(y)[rank]) / len(x)
    dy_sorted = np.empty_like(y)
    dy_sorted[np.argsort(y)] = -d[np.argsort(x)]
    return d, dy_sorted


def boxes(pred, target, background):
    """Smooth L1 of an image without objects, and the loss of its background scores."""
    d = jnp.abs(pred - target)
    smooth = jnp.sum(jnp.where(d < 1, 0.5 * d**2, d - 0.5)) / max(len(pred), 1)
    return smooth + jnp.mean(jax.nn.softplus(background))


boxes_args = lambda rng: (np.zeros((0, 4)), np.zeros((0, 4)), rng.normal(size=6))


def boxes_backward(pred, target, background, dy):
    d = dy * np.clip(pred - target, -1, 1) / max(len(pred), 1)
    return d, -d, dy * sigmoid(background) / len(background)


WRONG = (
    ByHand(
        "huber with slope one",
        "Fast R-CNN and Huber mixed up",
        huber,
        huber_free_args,
        huber_unit_slope,
        "Beyond the threshold the slope is the sign without the factor delta.",
        ("wrong below zero", "wrong derivative", "missing factor"),
    ),
    ByHand(
        "triplet positive and negative exchanged",
        "FaceNet ports",
        triplet,
        triplet_args,
        triplet_exchanged,
        "The gradients of positive and negative are exchanged.",
        ("arguments exchanged",),
    ),
    ByHand(
        "distance of equal points",
        "torch.cdist issues",
        distances,
        distances_args,
        distances_divided,
        "Equal points divide 0 by 0.",
        ("not finite",),
    ),
    ByHand(
        "variation with open ends",
        "total variation loss by loops",
        variation,
        lambda rng: (rng.normal(size=9),),
        variation_open_end,
        "The first and the last entry are left at 0.",
        ("single entry", "border dropped"),
    ),
)
RIGHT = (
    ByHand("huber at its threshold", "textbook", huber, huber_args, huber_backward),
    ByHand("clip loss", "CLIP", clip_loss, clip_args, clip_loss_backward),
    ByHand(
        "distances of equal points", "torch.cdist", distances, distances_args, distances_backward
    ),
    ByHand(
        "wasserstein by ranks",
        "sliced Wasserstein",
        wasserstein,
        lambda rng: (rng.normal(size=9), rng.normal(size=9)),
        wasserstein_ranks,
    ),
    ByHand("no boxes", "detection heads", boxes, boxes_args, boxes_backward),
)
