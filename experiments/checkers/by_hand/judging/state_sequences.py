"""Hidden state sequences: forward-backward recursions and CTC."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from experiments.checkers.by_hand.case import ByHand


def hmm(log_pi, log_A, log_B):
    def step(alpha, b):
        return logsumexp(alpha[:, None] + log_A, axis=0) + b, None

    return logsumexp(jax.lax.scan(step, log_pi + log_B[0], log_B[1:])[0])


def hmm_tables(log_pi, log_A, log_B):
    T, K = log_B.shape
    alpha, beta = np.zeros((T, K)), np.zeros((T, K))
    alpha[0] = log_pi + log_B[0]
    for t in range(1, T):
        alpha[t] = np.logaddexp.reduce(alpha[t - 1][:, None] + log_A, axis=0) + log_B[t]
    for t in reversed(range(T - 1)):
        beta[t] = np.logaddexp.reduce(log_A + log_B[t + 1] + beta[t + 1], axis=1)
    return alpha, beta, np.logaddexp.reduce(alpha[-1])


def hmm_backward(log_pi, log_A, log_B, dy):
    alpha, beta, ll = hmm_tables(log_pi, log_A, log_B)
    gamma = np.exp(alpha + beta - ll)
    xi = alpha[:-1, :, None] + log_A + (log_B + beta)[1:, None, :] - ll
    return dy * gamma[0], dy * np.exp(xi).sum(0), dy * gamma


def hmm_late_beta(log_pi, log_A, log_B, dy):
    alpha, beta, ll = hmm_tables(log_pi, log_A, log_B)
    gamma = np.exp(alpha + beta - ll)
    xi = alpha[:-1, :, None] + log_A + log_B[1:, None, :] + beta[:-1, None, :] - ll
    return dy * gamma[0], dy * np.exp(xi).sum(0), dy * gamma


def left_right_transitions(W):
    n = W.shape[0]
    allowed = jnp.triu(jnp.ones((n, n), bool)) & jnp.tril(jnp.ones((n, n), bool), 1)
    return jax.nn.softmax(jnp.where(allowed, W, -jnp.inf), axis=1)


def left_right_hmm(W, log_B):
    A = left_right_transitions(W)
    p = jnp.exp(log_B)
    alpha = jnp.zeros(len(W)).at[0].set(p[0, 0])
    for p_t in p[1:]:
        alpha = (alpha @ A) * p_t
    return jnp.log(alpha.sum())


def left_right_hmm_backward(W, log_B, dy):
    A = np.asarray(left_right_transitions(W))
    with np.errstate(divide="ignore"):
        _, dlog_A, dlog_B = hmm_backward(np.log(np.eye(len(W))[0]), np.log(A), log_B, dy)
    return dlog_A - A * dlog_A.sum(1, keepdims=True), dlog_B


def ctc_args(g):
    labels = g.permutation(3)[:2] + 1
    return g.standard_normal((8, 4)), np.array([labels[0], labels[1], labels[0]])


def ctc_skips(ext):
    return np.concatenate([[False, False], (ext[2:] != 0) & (ext[2:] != ext[:-2])])


def extended(labels):
    ext = np.zeros(2 * len(labels) + 1, int)
    ext[1::2] = labels
    return ext


def ctc(logits, labels):
    ext = extended(labels)
    skip = ctc_skips(ext)
    e = jax.nn.log_softmax(logits)[:, ext]
    low = -1e30
    alpha = jnp.where(jnp.arange(len(ext)) < 2, e[0], low)
    for t in range(1, len(logits)):
        one = jnp.concatenate([jnp.array([low]), alpha[:-1]])
        two = jnp.where(skip, jnp.concatenate([jnp.array([low, low]), alpha[:-2]]), low)
        alpha = logsumexp(jnp.stack([alpha, one, two]), axis=0) + e[t]
    return -jnp.logaddexp(alpha[-1], alpha[-2])


def ctc_occupancy(logits, labels):
    ext = extended(labels)
    skip, S, T = ctc_skips(ext), len(ext), len(logits)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    M = np.eye(S) + np.eye(S, k=1) + np.eye(S, k=2) * skip
    a, b = np.zeros((T, S)), np.zeros((T, S))
    a[0, :2] = p[0, ext[:2]]
    b[-1, -2:] = 1.0
    for t in range(1, T):
        a[t] = (a[t - 1] @ M) * p[t, ext]
    for t in reversed(range(T - 1)):
        b[t] = M @ (b[t + 1] * p[t + 1, ext])
    return ext, p, a * b / np.sum(a[-1] * b[-1])


def ctc_backward(logits, labels, dy):
    ext, p, occ = ctc_occupancy(logits, labels)
    d = p.copy()
    for t in range(len(d)):
        np.subtract.at(d[t], ext, occ[t])
    return dy * d, None


def ctc_overwriting(logits, labels, dy):
    ext, p, occ = ctc_occupancy(logits, labels)
    d = p.copy()
    d[:, ext] -= occ
    return dy * d, None


WRONG = (
    ByHand(
        "hidden markov model with beta one step early",
        "Rabiner 1989, equation 37",
        hmm,
        lambda g: tuple(g.standard_normal(s) for s in ((3,), (3, 3), (6, 3))),
        hmm_late_beta,
        "xi takes beta at t where beta at t + 1 belongs.",
        ("shifted", "wrong value"),
    ),
    ByHand(
        "ctc with overwritten blanks",
        "Graves et al. 2006, equation 15; fancy indexing with -=",
        ctc,
        ctc_args,
        ctc_overwriting,
        "Fancy indexing keeps only one of the repeated blanks and labels.",
        ("overwritten",),
    ),
)


RIGHT = (
    ByHand(
        "left-to-right hidden markov model",
        "forward-backward with log 0 for the forbidden transitions",
        left_right_hmm,
        lambda g: (g.standard_normal((4, 4)), g.standard_normal((7, 4))),
        left_right_hmm_backward,
    ),
    ByHand(
        "ctc in probability space",
        "Graves et al. 2006, labels that come back",
        ctc,
        ctc_args,
        ctc_backward,
    ),
)
