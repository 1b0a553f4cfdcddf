"""Contrastive losses, transport and word vectors."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from experiments.checkers.by_hand.case import ByHand


def unit(x):
    n = jnp.linalg.norm(x, axis=-1, keepdims=True)
    return x / n, n


def unit_backward(u, n, du):
    return (du - u * jnp.sum(u * du, axis=-1, keepdims=True)) / n


def clip_loss(image, text, log_scale):
    S = jnp.exp(log_scale) * unit(image)[0] @ unit(text)[0].T
    diag = jnp.diagonal(S)
    return jnp.mean(logsumexp(S, axis=1) + logsumexp(S, axis=0) - 2 * diag) / 2


def clip_gradient(image, text, log_scale, dy, text_axis):
    u, nu = unit(image)
    v, nv = unit(text)
    scale = jnp.exp(log_scale)
    S = scale * u @ v.T
    n = S.shape[0]
    P = jax.nn.softmax(S, axis=1) + jax.nn.softmax(S, axis=text_axis)
    dS = dy * (P - 2 * jnp.eye(n)) / (2 * n)
    return (
        unit_backward(u, nu, scale * dS @ v),
        unit_backward(v, nv, scale * dS.T @ u),
        jnp.sum(dS * S),
    )


def clip_args(g):
    return g.standard_normal((5, 4)), g.standard_normal((5, 4)), np.asarray(g.uniform(0.5, 2))


def simclr(z):
    u = unit(z)[0]
    S = jnp.where(jnp.eye(z.shape[0], dtype=bool), -jnp.inf, u @ u.T / 0.5)
    partner = jnp.roll(jnp.arange(z.shape[0]), z.shape[0] // 2)
    return jnp.sum(logsumexp(S, axis=1) - S[jnp.arange(z.shape[0]), partner])


def simclr_gradient(z, dy, both):
    u, n = unit(z)
    N = z.shape[0]
    S = np.array(u @ u.T / 0.5)
    np.fill_diagonal(S, -np.inf)
    G = dy * (np.exp(S) / np.exp(S).sum(1, keepdims=True) - np.roll(np.eye(N), N // 2, axis=1))
    G = G + G.T if both else G
    return (unit_backward(u, n, G @ u / 0.5),)


def sinkhorn(C, log_a, log_b):
    f, g = jnp.zeros(C.shape[0]), jnp.zeros(C.shape[1])
    for _ in range(4):
        f = log_a - logsumexp(g - C, axis=1)
        g = log_b - logsumexp(f[:, None] - C, axis=0)
    return jnp.exp(f[:, None] + g - C)


def sinkhorn_gradient(C, log_a, log_b, dP, last):
    f, g = np.zeros(C.shape[0]), np.zeros(C.shape[1])
    tape = []
    for _ in range(4):
        R = np.array(jax.nn.softmax(g - C, axis=1))
        f = log_a - logsumexp(g - C, axis=1)
        tape.append((R, np.array(jax.nn.softmax(f[:, None] - C, axis=0))))
        g = log_b - logsumexp(f[:, None] - C, axis=0)
    E = np.asarray(dP) * np.exp(f[:, None] + g - C)
    dC, dla, dlb = -E, np.zeros(len(log_a)), np.zeros(len(log_b))
    df, dg = E.sum(1), E.sum(0)
    for R, K in tape[:-2:-1] if last else tape[::-1]:
        dlb += dg
        df = df - K @ dg
        dC += K * dg
        dla += df
        dC += R * df[:, None]
        dg, df = -(df @ R), np.zeros_like(df)
    return dC, dla, dlb


def skip_gram(center, context, noise):
    pos = jnp.einsum("nd,nd->n", center, context)
    neg = jnp.einsum("nd,nkd->nk", center, noise)
    return jnp.sum(jax.nn.softplus(-pos)) + jnp.sum(jax.nn.softplus(neg))


def skip_gram_averaged(center, context, noise, dy):
    p = jax.nn.sigmoid(jnp.einsum("nd,nd->n", center, context)) - 1
    q = jax.nn.sigmoid(jnp.einsum("nd,nkd->nk", center, noise))
    dcenter = p[:, None] * context + jnp.einsum("nk,nkd->nd", q, noise)
    pooled = jnp.einsum("nk,nd->kd", q, center) / center.shape[0]
    dnoise = jnp.broadcast_to(pooled, noise.shape)
    return dy * dcenter, dy * p[:, None] * center, dy * dnoise


def triplet(a, p, n):
    dp, dn = jnp.sum((a - p) ** 2, axis=1), jnp.sum((a - n) ** 2, axis=1)
    return jnp.mean(jnp.maximum(dp - dn + 1.0, 0.0))


def triplet_always(a, p, n, dy):
    s = 2 * dy / a.shape[0]
    return s * (n - p), s * (p - a), s * (a - n)


WRONG = (
    ByHand(
        "clip loss with rows twice",
        "Radford et al. 2021, both directions of the loss",
        clip_loss,
        clip_args,
        lambda image, text, s, dy: clip_gradient(image, text, s, dy, 1),
        "The softmax of the text direction runs over the texts, like that of the images.",
        ("wrong axis", "wrong value", "transposed"),
    ),
    ByHand(
        "contrastive loss from one side",
        "Chen et al. 2020; each embedding is anchor and candidate",
        simclr,
        lambda g: (g.standard_normal((8, 3)),),
        lambda z, dy: simclr_gradient(z, dy, False),
        "The gradient of an embedding as a candidate of the others is missing.",
        ("missing term",),
    ),
    ByHand(
        "sinkhorn through the last iteration",
        "optimal transport layer, unrolled",
        sinkhorn,
        lambda g: (2 * g.random((5, 4)), np.log(g.dirichlet(np.ones(5))), np.log(np.ones(4) / 4)),
        lambda C, a, b, dP: sinkhorn_gradient(C, a, b, dP, True),
        "Only the last of the four iterations is differentiated.",
        ("truncated in time", "missing term"),
    ),
    ByHand(
        "negative samples pooled over the batch",
        "word2vec, as if the noise words were shared",
        skip_gram,
        lambda g: tuple(g.standard_normal(s) for s in ((6, 3), (6, 3), (6, 4, 3))),
        skip_gram_averaged,
        "The gradient of the noise words is averaged over the batch, which must be kept.",
        ("reduced too far",),
    ),
    ByHand(
        "triplet loss without the hinge",
        "FaceNet homework",
        triplet,
        lambda g: tuple(g.standard_normal((3, 8, 3))),
        triplet_always,
        "Triplets beyond the margin get a gradient although the hinge is flat there.",
        ("wrong below zero", "mask"),
    ),
)


RIGHT = (
    ByHand(
        "clip loss with a learned temperature",
        "Radford et al. 2021",
        clip_loss,
        clip_args,
        lambda image, text, s, dy: clip_gradient(image, text, s, dy, 0),
    ),
    ByHand(
        "sinkhorn unrolled",
        "reverse pass over both half steps in the log domain",
        sinkhorn,
        lambda g: (2 * g.random((5, 4)), np.log(g.dirichlet(np.ones(5))), np.log(np.ones(4) / 4)),
        lambda C, a, b, dP: sinkhorn_gradient(C, a, b, dP, False),
    ),
)
