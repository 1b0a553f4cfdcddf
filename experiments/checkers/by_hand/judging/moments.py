"""Divergences, entropies, moments and counts."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import digamma, gammaln, xlogy

from experiments.checkers.by_hand.case import ByHand


def kl_diagonal(m1, s1, m2, s2):
    t = jnp.exp(2 * (s1 - s2)) + (m1 - m2) ** 2 * jnp.exp(-2 * s2)
    return jnp.sum(s2 - s1 + 0.5 * t - 0.5, axis=-1)


def kl_diagonal_reversed_ratio(m1, s1, m2, s2, dy):
    dy = dy[:, None]
    d = (m1 - m2) * jnp.exp(-2 * s2)
    ds1 = dy * (jnp.exp(2 * (s2 - s1)) - 1)
    ds2 = dy * (1 - jnp.exp(2 * (s1 - s2)) - (m1 - m2) * d)
    return dy * d, ds1, -dy * d, ds2


def beta_binomial(k, n, a, b):
    def log_beta(p, q):
        return gammaln(p) + gammaln(q) - gammaln(p + q)

    return jnp.sum(log_beta(k + a, n - k + b) - log_beta(a, b))


def beta_binomial_swapped(k, n, a, b, dy):
    common = digamma(a + b) - digamma(n + a + b)
    da = digamma(n - k + b) - digamma(b) + common
    db = digamma(k + a) - digamma(a) + common
    return None, None, dy * da, dy * db


def covariance(X):
    return jnp.cov(X)


def covariance_biased(X, dC):
    Xc = X - X.mean(1, keepdims=True)
    dX = (dC + dC.T) @ Xc / X.shape[1]
    return (dX,)


def softmax_entropy(z):
    logp = jax.nn.log_softmax(z, axis=-1)
    return -jnp.sum(jnp.exp(logp) * logp, axis=-1)


def softmax_entropy_uncentred(z, dy):
    p = jax.nn.softmax(z, axis=-1)
    return (-dy[:, None] * p * jnp.log(p),)


def dirichlet_nll(alpha, x):
    s = jnp.sum((alpha - 1) * jnp.log(x), axis=1)
    return -jnp.mean(s + gammaln(jnp.sum(alpha)) - jnp.sum(gammaln(alpha)))


def dirichlet_nll_summed(alpha, x, dy):
    n = x.shape[0]
    dalpha = digamma(alpha) - digamma(alpha.sum()) - np.log(x)
    return dy * dalpha.sum(0), -dy * (alpha - 1) / x / n


def poisson_args(g):
    rate = 10.0 ** g.uniform(-3, 6, (4, 6))
    return np.log(rate) + 0.01 * g.standard_normal((4, 6)), g.poisson(rate)


def poisson(eta, k):
    return jnp.exp(eta) - k * eta + gammaln(k + 1.0)


def poisson_backward(eta, k, dy):
    rate = np.exp(eta)
    return rate * dy - k * dy, None


def mutual_information(J):
    P = J / jnp.sum(J)
    independent = jnp.sum(P, 1, keepdims=True) * jnp.sum(P, 0)
    return jnp.sum(xlogy(P, P) - xlogy(P, independent))


def mutual_information_backward(J, dy):
    n = J.sum()
    pmi = np.log(J * n / np.outer(J.sum(1), J.sum(0)))
    return (dy * (pmi - np.sum(J * pmi) / n) / n,)


WRONG = (
    ByHand(
        "gaussian divergence with the variance ratio inverted",
        "Kullback-Leibler divergence of a posterior from a learned prior",
        kl_diagonal,
        lambda g: tuple(0.5 * g.standard_normal((4, 5, 3))),
        kl_diagonal_reversed_ratio,
        "ds1 has var2 / var1 in place of var1 / var2.",
        ("wrong value", "wrong derivative"),
    ),
    ByHand(
        "beta-binomial with both gradients exchanged",
        "empirical Bayes for batting averages",
        beta_binomial,
        lambda g: (
            g.integers(0, 5, 8),
            g.integers(5, 12, 8),
            g.uniform(0.5, 3, 8),
            g.uniform(3, 6, 8),
        ),
        beta_binomial_swapped,
        "The gradients of a and b are exchanged.",
        ("arguments exchanged",),
    ),
    ByHand(
        "covariance over n",
        "ddof of np.cov and of np.var differ",
        covariance,
        lambda g: (g.standard_normal((4, 6)),),
        covariance_biased,
        "The gradient is divided by n in place of n - 1.",
        ("constant factor",),
    ),
    ByHand(
        "entropy bonus without the mean of log p",
        "policy gradient homework, entropy of a softmax",
        softmax_entropy,
        lambda g: (g.standard_normal((6, 5)),),
        softmax_entropy_uncentred,
        "dz = -p log p lacks the second term, -p H.",
        ("missing term",),
    ),
    ByHand(
        "dirichlet likelihood summed over the batch",
        "topic model, mean against sum over documents",
        dirichlet_nll,
        lambda g: (g.uniform(0.5, 3, 4), g.dirichlet(np.ones(4), 6)),
        dirichlet_nll_summed,
        "dalpha is the sum over the batch where the loss is its mean.",
        ("sum for mean", "constant factor"),
    ),
)


RIGHT = (
    ByHand(
        "poisson likelihood with large counts",
        "counts from 0 to a million, rate as exp",
        poisson,
        poisson_args,
        poisson_backward,
    ),
    ByHand(
        "mutual information of a table",
        "pointwise mutual information minus its mean",
        mutual_information,
        lambda g: (g.uniform(0.1, 4, (3, 5)),),
        mutual_information_backward,
    ),
)
