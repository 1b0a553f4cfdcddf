"""Matrix factorizations: Cholesky, QR, eigenvalues, singular values, inverses."""

import jax.numpy as jnp
import jax.scipy.linalg as jsl
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def spd(g, n):
    X = g.standard_normal((n, 2 * n))
    return X @ X.T / n + np.eye(n)


def cholesky_halves(A, dL):
    L = np.linalg.cholesky(A)
    Li = np.linalg.inv(L)
    P = np.tril(L.T @ np.asarray(dL))
    S = Li.T @ P @ Li
    return ((S + S.T) / 2,)


def det_inverse(A, dy):
    Ai = np.linalg.inv(A)
    return (np.asarray(dy)[:, None, None] * Ai.transpose(0, 2, 1),)


def qr_lower(A, dy):
    dQ, dR = dy
    Q, R = jnp.linalg.qr(A)
    M = R @ jnp.triu(dR).T - dQ.T @ Q
    rhs = dQ + Q @ jnp.tril(M)
    return (jsl.solve_triangular(R, rhs.T, lower=False).T,)


def eigh_gap(A, dy):
    dw, dV = dy
    w, V = jnp.linalg.eigh(A)
    gap = w[:, None] - w[None, :]
    F = jnp.where(jnp.eye(len(w), dtype=bool), 0.0, 1.0 / jnp.where(gap == 0, 1.0, gap))
    inner = jnp.diag(dw) + F * (V.T @ dV)
    dA = V @ inner @ V.T
    return (0.5 * (dA + dA.T),)


def frobenius(A):
    return jnp.sqrt(jnp.sum(A * A, axis=(-2, -1)))


def frobenius_squared(A, dy):
    n = jnp.sum(A * A, axis=(-2, -1), keepdims=True)
    return (dy[:, None, None] * A / n,)


def nuclear_norm(A):
    return jnp.sum(jnp.linalg.svd(A, compute_uv=False))


def nuclear_norm_backward(A, dy):
    w, V = np.linalg.eigh(A.T @ A)
    return (dy * (A @ (V / np.sqrt(w)) @ V.T),)


def pinv_backward(A, dY):
    Y = jnp.linalg.solve(A.T @ A, A.T)
    P = jnp.eye(A.shape[0]) - A @ Y
    return (P @ dY.T @ (Y @ Y.T) - Y.T @ dY @ Y.T,)


WRONG = (
    ByHand(
        "cholesky without the half on the diagonal",
        "Murray 2016, differentiation of the Cholesky decomposition",
        jnp.linalg.cholesky,
        lambda g: (spd(g, 5),),
        cholesky_halves,
        "The lower triangle of L^T dL is taken without halving its diagonal.",
        ("missing factor", "wrong value", "mask"),
        named=False,
    ),
    ByHand(
        "determinant without the determinant",
        "Jacobi's formula, mixed up with that of the log-determinant",
        jnp.linalg.det,
        lambda g: (g.standard_normal((5, 3, 3)) + 2 * np.eye(3),),
        det_inverse,
        "The factor det(A) of each matrix is missing.",
        ("missing factor",),
    ),
    ByHand(
        "qr with the lower triangle only",
        "Walter and Lehmann 2010, copyltu",
        jnp.linalg.qr,
        lambda g: (g.standard_normal((6, 3)),),
        qr_lower,
        "copyltu(M) is replaced by the lower triangle of M, without its mirror image.",
        ("missing term", "wrong value", "mask"),
        named=False,
    ),
    ByHand(
        "eigh with the gaps of the wrong sign",
        "Giles 2008, eigenvalues and eigenvectors",
        lambda A: tuple(jnp.linalg.eigh(A)),
        lambda g: (spd(g, 4) + np.diag([0.0, 3.0, 6.0, 9.0]),),
        eigh_gap,
        "F has w_i - w_j where w_j - w_i belongs, so the eigenvector term has the wrong sign.",
        ("missing term", "transposed", "wrong value"),
    ),
    ByHand(
        "frobenius norm over the squared norm",
        "homework on matrix norms",
        frobenius,
        lambda g: (g.standard_normal((3, 4, 5)),),
        frobenius_squared,
        "A is divided by the squared norm of each matrix in place of the norm.",
        ("missing factor", "wrong derivative", "wrong value"),
    ),
)


RIGHT = (
    ByHand(
        "nuclear norm",
        "polar factor from the eigenvalues of A^T A",
        nuclear_norm,
        lambda g: (np.linalg.qr(g.standard_normal((5, 3)))[0] * g.uniform(1, 3, 3),),
        nuclear_norm_backward,
    ),
    ByHand(
        "pseudo-inverse of a tall matrix",
        "Golub and Pereyra 1973",
        jnp.linalg.pinv,
        lambda g: (g.standard_normal((6, 3)),),
        pinv_backward,
    ),
)
