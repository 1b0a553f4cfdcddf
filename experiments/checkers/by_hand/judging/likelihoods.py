"""Likelihoods of single densities."""

import jax.numpy as jnp
import jax.scipy.linalg as jsl
import numpy as np
from jax.scipy.special import digamma, gammaln, i0e, i1e, log_ndtr
from jax.scipy.stats import norm

from experiments.checkers.by_hand.case import ByHand


def gaussian_nll(x, mu, logvar):
    return 0.5 * jnp.mean(jnp.sum((x - mu) ** 2 * jnp.exp(-logvar) + logvar, axis=1))


def gaussian_nll_by_std(x, mu, logvar, dy):
    n = x.shape[0]
    r = mu - x
    dmu = dy * r / np.exp(0.5 * logvar) / n
    dlogvar = dy * 0.5 * (1.0 - r**2 / np.exp(logvar)) / n
    return -dy * r * np.exp(-logvar) / n, dmu, dlogvar


def mvn_logpdf(x, mu, L):
    z = jsl.solve_triangular(L, (x - mu).T, lower=True)
    d = mu.shape[0]
    logdet = jnp.sum(jnp.log(jnp.diagonal(L)))
    return -0.5 * jnp.sum(z * z, axis=0) - logdet - 0.5 * d * jnp.log(2 * jnp.pi)


def mvn_logpdf_backward(x, mu, L, dy):
    Li = np.linalg.inv(np.tril(L))
    z = (x - mu) @ Li.T
    dx = -(np.asarray(dy)[:, None] * z) @ Li
    dL = np.tril(-dx.T @ z) - np.diag(np.sum(dy) / np.diag(L))
    return dx, -dx.sum(0), dL


def mvn_logpdf_no_volume(x, mu, L, dy):
    Li = np.linalg.inv(np.tril(L))
    z = (x - mu) @ Li.T
    dx = -(np.asarray(dy)[:, None] * z) @ Li
    return dx, -dx.sum(0), np.tril(-dx.T @ z)


def von_mises(x, mu, kappa):
    return kappa * (jnp.cos(x - mu) - 1) - jnp.log(2 * jnp.pi * i0e(kappa))


def von_mises_scaled(x, mu, kappa, dy):
    s = dy * kappa * jnp.sin(x - mu)
    ratio = i1e(kappa) / i0e(kappa)
    dkappa = dy * (jnp.cos(x - mu) - 1 - ratio)
    return -s, s, dkappa


def probit(X, w, t):
    return -jnp.sum(log_ndtr(t * (X @ w)))


def probit_ratio(X, w, t, dy):
    m = t * (X @ w)
    dm = -dy * norm.pdf(m) / norm.cdf(m)
    return jnp.outer(t * dm, w), X.T @ (t * dm), None


def probit_args(g):
    X = g.standard_normal((8, 3))
    w = g.standard_normal(3)
    t = g.choice([-1, 1], 8)
    X[2] = -50.0 * t[2] * w / (w @ w)
    return X, w, t


def student_t(x, mu, sigma, nu):
    z = (x - mu) / sigma
    c = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * jnp.log(nu * jnp.pi) - jnp.log(sigma)
    return jnp.mean(c - (nu + 1) / 2 * jnp.log1p(z**2 / nu))


def student_t_backward(x, mu, sigma, nu, dy):
    r = x - mu
    q = nu * sigma**2 + r**2
    w = (nu + 1) * r / q
    dnu = digamma((nu + 1) / 2) - digamma(nu / 2) - 1 / nu - np.log1p(r**2 / (nu * sigma**2))
    dnu = 0.5 * np.mean(dnu + w * r / nu)
    return -dy * w / x.size, dy * w.mean(), dy * np.mean(w * r - 1) / sigma, dy * dnu


def laplace_args(g):
    mu = g.standard_normal(9)
    x = mu + g.standard_normal(9) * g.integers(0, 2, 9)
    return x, mu, g.uniform(0.5, 2, 9)


def laplace(x, mu, b):
    return -jnp.abs(x - mu) / b - jnp.log(2 * b)


def laplace_backward(x, mu, b, dy):
    # At x = mu any slope in [-1, 1] is valid; this takes the middle, 0.
    s = np.where(x > mu, 1.0, np.where(x < mu, -1.0, 0.0))
    return -dy * s / b, dy * s / b, dy * (np.abs(x - mu) - b) / b**2


WRONG = (
    ByHand(
        "gaussian likelihood with the standard deviation",
        "homework on heteroscedastic regression",
        gaussian_nll,
        lambda g: tuple(g.standard_normal((3, 7, 4))),
        gaussian_nll_by_std,
        "dmu is divided by the standard deviation in place of the variance.",
        ("missing factor", "wrong value"),
    ),
    ByHand(
        "multivariate normal without the volume in dL",
        "Gaussian with a Cholesky factor",
        mvn_logpdf,
        lambda g: (g.standard_normal((6, 3)), g.standard_normal(3), g.uniform(1, 2, (3, 3))),
        mvn_logpdf_no_volume,
        "The term of the log-determinant is missing in dL.",
        ("missing term",),
    ),
    ByHand(
        "von mises with two scaled bessel functions",
        "directional statistics; the scaled form already has the -1",
        von_mises,
        lambda g: (g.uniform(-3, 3, 10), g.uniform(-3, 3, 10), g.uniform(0.2, 5, 10)),
        von_mises_scaled,
        "The 1 of cos - 1 is subtracted although the derivative of log i0e has it already.",
        ("wrong derivative", "missing term"),
    ),
    ByHand(
        "probit loss by pdf over cdf",
        "probit regression; the ratio is 0 / 0 in the tail",
        probit,
        probit_args,
        probit_ratio,
        "pdf / cdf is 0 / 0 far in the tail, where the inverse Mills ratio is finite.",
        ("not finite",),
    ),
)


RIGHT = (
    ByHand(
        "student t with learned degrees of freedom",
        "robust regression",
        student_t,
        lambda g: (
            5 * g.standard_normal(12),
            np.asarray(g.standard_normal()),
            np.asarray(g.uniform(0.5, 2)),
            np.asarray(g.uniform(1, 8)),
        ),
        student_t_backward,
    ),
    ByHand(
        "laplace likelihood at exact zeros",
        "robust regression, absolute error",
        laplace,
        laplace_args,
        laplace_backward,
    ),
    ByHand(
        "multivariate normal",
        "Gaussian with a Cholesky factor; the upper triangle is not read",
        mvn_logpdf,
        lambda g: (g.standard_normal((6, 3)), g.standard_normal(3), g.uniform(1, 2, (3, 3))),
        mvn_logpdf_backward,
    ),
)
