"""Losses: weights, thresholds, counts, symmetric losses, Student-t kernels."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def normals(*shapes):
    return lambda rng: tuple(rng.normal(size=shape) for shape in shapes)


def weighted_bce(x, t, w):
    return jnp.mean((1 - t) * jax.nn.softplus(x) + w * t * jax.nn.softplus(-x))


def weighted_bce_args(rng):
    t = (np.arange(20) % 3 == 0).astype(float).reshape(4, 5)
    return rng.normal(size=(4, 5)), t, 2 + rng.random(5)


def weighted_bce_no_weight(x, t, w, dy):
    p = jax.nn.sigmoid(x)
    n = x.size
    dt = w * jax.nn.softplus(-x) - jax.nn.softplus(x)
    dw = t * jax.nn.softplus(-x)
    return dy * (p - t) / n, dy * dt / n, dy * dw.sum(0) / n


def huber(w, x, y):
    r = jnp.abs(x @ w - y)
    return jnp.sum(jnp.where(r < 0.4, 0.5 * r**2, 0.4 * (r - 0.2)))


def huber_without_delta(w, x, y, dl):
    r = x @ w - y
    g = dl * np.where(np.abs(r) < 0.4, r, np.sign(r))
    return x.T @ g, np.outer(g, w), -g


def focal(x, t):
    p = jax.nn.sigmoid(x)
    pt = jnp.where(t, p, 1 - p)
    return -jnp.sum(jnp.where(t, 0.25, 0.75) * (1 - pt) ** 2 * jnp.log(pt))


def focal_args(rng):
    return rng.normal(size=12), rng.permutation(np.arange(12) < 5)


def focal_alpha(x, t, dy):
    s = np.where(t, 1.0, -1.0)
    pt = 1 / (1 + np.exp(-s * x))
    dx = 0.25 * s * (1 - pt) ** 2 * (2 * pt * np.log(pt) + pt - 1)
    return dy * dx, None


def focal_gamma(x, t, dy):
    s = np.where(t, 1.0, -1.0)
    pt = 1 / (1 + np.exp(-s * x))
    return -dy * np.where(t, 0.25, 0.75) * s * (1 - pt) ** 3, None


def token_loss(z, labels):
    """Cross entropy of (batch, time, classes), where label -1 is padding."""
    logp = jnp.take_along_axis(jax.nn.log_softmax(z), labels[..., None], axis=-1)[..., 0]
    return -jnp.sum(jnp.where(labels >= 0, logp, 0)) / jnp.sum(labels >= 0)


def token_loss_args(rng):
    labels = rng.integers(0, 5, size=(2, 6))
    labels[0, 4:] = labels[1, 3:] = -1
    return rng.normal(size=(2, 6, 5)), labels


def token_loss_all_tokens(z, labels, dy):
    valid = labels >= 0
    dz = jax.nn.softmax(z) - jax.nn.one_hot(labels, z.shape[-1])
    return dy * jnp.where(valid[..., None], dz, 0) / labels.size, None


def pinball(y, q):
    r = y - q
    return jnp.mean(jnp.maximum(0.9 * r, -0.1 * r))


def pinball_exchanged(y, q, dl):
    g = dl * np.where(y > q, 0.1, -0.9) / y.size
    return g, -g


def clip_loss(u, v, t):
    z = jnp.exp(t) * u @ v.T
    n = jnp.arange(len(z))
    rows, columns = jax.nn.log_softmax(z, 1)[n, n], jax.nn.log_softmax(z, 0)[n, n]
    return -0.5 * (rows + columns).mean()


def clip_args(rng):
    u, v = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    return u / np.linalg.norm(u, axis=1)[:, None], v, np.asarray(rng.normal())


def clip_one_side(u, v, t, dl):
    z, n = jnp.exp(t) * u @ v.T, len(u)
    dz = dl * (jax.nn.softmax(z, axis=1) - jnp.eye(n)) / (2 * n)
    return jnp.exp(t) * dz @ v, jnp.exp(t) * dz.T @ u, jnp.sum(dz * z)


def chamfer(a, b):
    d = ((a[:, None] - b) ** 2).sum(-1)
    return d.min(0).mean() + d.min(1).mean()


def chamfer_one_side(a, b, dl):
    d = ((a[:, None] - b) ** 2).sum(-1)
    i, j = d.argmin(0), d.argmin(1)
    da = 2 * (a - b[j]) / len(a)
    db = 2 * (b - a[i]) / len(b)
    np.add.at(db, j, -da)
    return dl * da, dl * db


def tsne(y, p):
    w = 1 / (1 + ((y[:, None] - y) ** 2).sum(-1)) * (1 - jnp.eye(len(y)))
    return -jnp.sum(p * jnp.log(w / w.sum() + jnp.eye(len(y))))


def tsne_args(rng):
    p = rng.random((5, 5)) * (1 - np.eye(5))
    p += p.T
    return rng.normal(size=(5, 2)), p / p.sum()


def tsne_sign(y, p, dl):
    d = y[:, None] - y
    w = (1 - np.eye(len(y))) / (1 + (d**2).sum(-1))
    q = w / w.sum()
    dy = 4 * np.einsum("ij,ijk->ik", (q - p) * w, d)
    return dl * dy, -dl * np.log(q + np.eye(len(y)))


def soft_assignment(z, mu):
    q = 1 / (1 + ((z[:, None] - mu) ** 2).sum(-1))
    return q / q.sum(1, keepdims=True)


def soft_assignment_transposed(z, mu, dq):
    w = 1 / (1 + ((z[:, None] - mu) ** 2).sum(-1))
    q = w / w.sum(1, keepdims=True)
    c = 2 * w * q * (dq - (q * dq).sum(1, keepdims=True))
    dz = c @ mu - c.sum(1)[:, None] * z
    return dz, c @ z - c.sum(0)[:, None] * mu


def student_nll(x, mu, s):
    return jnp.sum(jnp.log(s) + 2.5 * jnp.log1p(((x - mu) / s) ** 2 / 4))


def student_nll_args(rng):
    return rng.normal(size=(5, 3)), rng.normal(size=3), 0.5 + rng.random(3)


def student_nll_sign(x, mu, s, dl):
    u = (x - mu) / s
    g = dl * 5 * u / (4 + u**2) / s
    return g, g.sum(0), dl * len(x) / s - (u * g).sum(0)


def tiny_loss(w, x):
    return 1e-8 * jnp.mean(jnp.square(x @ w))


def tiny_loss_backward(w, x, dl):
    g = 2e-8 * dl * (x @ w) / (len(x) * w.shape[1])
    return x.T @ g, g @ w.T


def huge_loss(a, b):
    return jnp.sum((1e6 * a - 3e5 * b) ** 2)


def huge_loss_backward(a, b, dl):
    r = 2 * dl * (1e6 * a - 3e5 * b)
    return 1e6 * r, -3e5 * r.sum(0)


WRONG = (
    ByHand(
        "binary cross entropy without weight",
        "pos_weight of PyTorch's BCEWithLogitsLoss",
        weighted_bce,
        weighted_bce_args,
        weighted_bce_no_weight,
        "the weight of the positive class is missing in dx",
        ("missing factor", "wrong derivative"),
    ),
    ByHand(
        "huber without delta",
        "Huber 1964",
        huber,
        normals((3,), (8, 3), (8,)),
        huber_without_delta,
        "outside of the quadratic part the slope is 1 instead of delta",
        ("wrong derivative", "missing factor", "wrong below zero"),
    ),
    ByHand(
        "focal loss alpha",
        "Lin et al. 2017",
        focal,
        focal_args,
        focal_alpha,
        "negatives are weighted with alpha instead of 1 - alpha",
        ("missing factor", "wrong value", "wrong derivative"),
    ),
    ByHand(
        "focal loss gamma",
        "Lin et al. 2017",
        focal,
        focal_args,
        focal_gamma,
        "the derivative of the modulating factor is missing",
        ("missing term", "wrong derivative"),
    ),
    ByHand(
        "token loss over all tokens",
        "gradient accumulation bug with padded labels, 2024",
        token_loss,
        token_loss_args,
        token_loss_all_tokens,
        "divided by the number of all tokens instead of the valid ones",
        ("constant factor",),
    ),
    ByHand(
        "pinball alpha exchanged",
        "Koenker and Bassett 1978",
        pinball,
        normals((9,), (9,)),
        pinball_exchanged,
        "the slopes alpha and 1 - alpha are exchanged",
        ("wrong derivative", "missing factor", "wrong value"),
    ),
    ByHand(
        "clip loss one side",
        "Radford et al. 2021, CLIP",
        clip_loss,
        clip_args,
        clip_one_side,
        "only the softmax over rows is differentiated, not the one over columns",
        ("missing term",),
    ),
    ByHand(
        "chamfer one side",
        "Fan et al. 2017, point sets",
        chamfer,
        normals((5, 3), (7, 3)),
        chamfer_one_side,
        "da lacks the distances from b to their nearest a",
        ("missing term",),
    ),
    ByHand(
        "t-sne sign",
        "van der Maaten and Hinton 2008",
        tsne,
        tsne_args,
        tsne_sign,
        "q - p instead of p - q",
        ("constant factor",),
    ),
    ByHand(
        "soft assignment transposed",
        "Xie et al. 2016, deep embedded clustering",
        soft_assignment,
        normals((4, 3), (4, 3)),
        soft_assignment_transposed,
        "the gradient of the centers uses the coefficients without transposing them",
        ("transposed",),
    ),
    ByHand(
        "student nll sign",
        "Student-t likelihood with 4 degrees of freedom",
        student_nll,
        student_nll_args,
        student_nll_sign,
        "the gradient of the location has the other sign",
        ("constant factor",),
    ),
)

RIGHT = (
    ByHand(
        "tiny mean square",
        "loss scaled by 1e-8",
        tiny_loss,
        normals((3, 2), (5, 3)),
        tiny_loss_backward,
    ),
    ByHand(
        "huge square",
        "loss in other units",
        huge_loss,
        normals((4, 3), (3,)),
        huge_loss_backward,
    ),
)
