"""Factorizations, solves, determinants and functions of matrices."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy import linalg

from experiments.checkers.functions.function import Function


def gaussian_nll(x, mean, a):
    """Negative log density with covariance A A^T + I, by its Cholesky factor."""
    d = mean.shape[0]
    factor = jnp.linalg.cholesky(a @ a.T + jnp.eye(d, dtype=a.dtype))
    z = linalg.solve_triangular(factor, (x - mean).T, lower=True)
    log_det = 2 * jnp.log(jnp.diagonal(factor)).sum()
    return 0.5 * (jnp.sum(z**2, axis=0) + log_det + d * jnp.log(2 * jnp.pi))


def upper_solve(raw, b):
    """U^T x = b with U the upper part of raw and a positive diagonal."""
    u = jnp.triu(raw, 1) + jnp.diag(jax.nn.softplus(jnp.diag(raw)) + 0.5)
    return linalg.solve_triangular(u, b, trans="T")


def ridge(x, y, log_penalty):
    """The coefficients (X^T X + p I)^-1 X^T y and the residuals."""
    gram = x.T @ x + jnp.exp(log_penalty) * jnp.eye(x.shape[1], dtype=x.dtype)
    coef = jnp.linalg.solve(gram, x.T @ y)
    return coef, y - x @ coef


def inverse_batch(a, x):
    """x^T (3 I + A)^-1 x for every matrix of a batch."""
    inv = jnp.linalg.inv(3 * jnp.eye(a.shape[-1], dtype=a.dtype) + a)
    return jnp.einsum("bi,bij,bj->b", x, inv, x)


def linear_flow(x, w, b):
    """Log likelihood of x W + b under a normal, with log |det W|."""
    z = x @ w + b
    return -0.5 * jnp.sum(z**2, axis=-1) + jnp.linalg.slogdet(w)[1]


def spectral_filter(a, gain):
    """V diag(exp(-g l^2)) V^T for the eigenpairs of a symmetric matrix."""
    values, vectors = jnp.linalg.eigh((a + a.T) / 2)
    return (vectors * jnp.exp(-gain * values**2)) @ vectors.T


def nuclear_norm(left, right):
    """The sum of the singular values of a product and the logarithm of the largest."""
    s = jnp.linalg.svd(left @ right, compute_uv=False)
    return s.sum(), jnp.log(s[0])


def orthogonal_rows(x, w):
    """x on the orthonormal basis Q of W = QR, with |diag R|."""
    q, r = jnp.linalg.qr(w)
    signs = jnp.sign(jnp.diagonal(r))
    return x @ (q * signs), jnp.abs(jnp.diagonal(r))


def rotation_flow(generator, points, time):
    """exp(t (A - A^T)) applied to points."""
    return points @ linalg.expm(time * (generator - generator.T)).T


def volume(vertices):
    """Signed volumes of tetrahedra as determinants of their edges."""
    edges = vertices[:, 1:] - vertices[:, :1]
    return jnp.linalg.det(edges) / 6


def gp_posterior(x, y, x_new, log_length, log_noise):
    """Mean and variance of a Gaussian process at new points."""
    kernel = lambda a, b: jnp.exp(-0.5 * ((a[:, None] - b[None, :]) / jnp.exp(log_length)) ** 2)
    noise = jnp.exp(log_noise) * jnp.eye(x.shape[0], dtype=x.dtype)
    factor = linalg.cho_factor(kernel(x, x) + noise, lower=True)
    cross = kernel(x_new, x)
    var = 1 - jnp.sum(cross * linalg.cho_solve(factor, cross.T).T, axis=1)
    return cross @ linalg.cho_solve(factor, y), var


FUNCTIONS = (
    Function(
        "gaussian_nll",
        gaussian_nll,
        lambda rng: (
            rng.normal(size=(5, 3)),
            rng.normal(size=3),
            rng.normal(size=(3, 4)),
        ),
    ),
    Function(
        "upper_solve",
        upper_solve,
        lambda rng: (rng.normal(size=(4, 4)) / 2, rng.normal(size=(4, 3))),
    ),
    Function(
        "ridge",
        ridge,
        lambda rng: (rng.normal(size=(8, 3)), rng.normal(size=8), rng.normal(size=())),
    ),
    Function(
        "inverse_batch",
        inverse_batch,
        lambda rng: (rng.uniform(-0.8, 0.8, size=(2, 3, 3)), rng.normal(size=(2, 3))),
    ),
    Function(
        "linear_flow",
        linear_flow,
        lambda rng: (
            rng.normal(size=(5, 4)),
            2 * np.eye(4)[rng.permutation(4)] + rng.uniform(-0.4, 0.4, size=(4, 4)),
            rng.normal(size=4),
        ),
    ),
    Function(
        "spectral_filter",
        spectral_filter,
        lambda rng: (rng.normal(size=(4, 4)), rng.uniform(0.1, 0.5, size=())),
    ),
    Function(
        "nuclear_norm",
        nuclear_norm,
        lambda rng: (rng.normal(size=(5, 4)), rng.normal(size=(4, 3))),
    ),
    Function(
        "orthogonal_rows",
        orthogonal_rows,
        lambda rng: (rng.normal(size=(6, 5)), rng.normal(size=(5, 3))),
    ),
    Function(
        "rotation_flow",
        rotation_flow,
        lambda rng: (
            rng.normal(size=(3, 3)) / 2,
            rng.normal(size=(5, 3)),
            rng.uniform(0.5, 1, size=()),
        ),
    ),
    Function("volume", volume, lambda rng: (rng.normal(size=(5, 4, 3)),)),
    Function(
        "gp_posterior",
        gp_posterior,
        lambda rng: (
            rng.normal(size=6),
            rng.normal(size=6),
            rng.normal(size=4),
            rng.normal(0, 0.3, size=()),
            rng.uniform(-2, -1, size=()),
        ),
    ),
)
