"""Linear solves, traces, quadratic forms and a matrix exponential."""

import jax
import jax.numpy as jnp
import jax.scipy.linalg as jsl
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def solve_with_rhs(A, B, dX):
    At = jnp.swapaxes(A, -1, -2)
    dB = jnp.linalg.solve(At, dX)
    dA = -jnp.einsum("bik,bjk->bij", dB, B)
    return dA, dB


def forward_substitution(L, b):
    return jsl.solve_triangular(L, b, lower=True)


def forward_substitution_full(L, b, dx):
    x = np.linalg.solve(np.tril(L), b)
    db = np.linalg.solve(np.tril(L).T, np.asarray(dx))
    return -np.outer(db, x), db


def trace_product(A, B):
    return jnp.trace(A @ B)


def trace_product_swapped(A, B, dy):
    return dy * A.T, dy * B.T


def quadratic_form(x, A):
    return jnp.einsum("ni,ij,nj->n", x, A, x)


def quadratic_form_symmetric(x, A, dy):
    dx = 2.0 * dy[:, None] * (x @ A.T)
    dA = jnp.einsum("n,ni,nj->ij", dy, x, x)
    return dx, dA


def hilbert_solve(s, b):
    n = b.shape[0]
    i = jnp.arange(n)
    H = 1.0 / (i[:, None] + i[None, :] + 1.0) + jnp.diag(s)
    return jnp.linalg.solve(H, b)


def hilbert_solve_backward(s, b, dx):
    n = b.shape[0]
    i = jnp.arange(n)
    c = jsl.cho_factor(1.0 / (i[:, None] + i[None, :] + 1.0) + jnp.diag(s))
    x = jsl.cho_solve(c, b)
    db = jsl.cho_solve(c, dx)
    return -db * x, db


def expm_backward(A, dE):
    n = A.shape[0]
    block = jnp.block([[A.T, dE], [jnp.zeros_like(A), A.T]])
    return (jsl.expm(block)[:n, n:],)


def ridge(X, y, lam):
    return jnp.linalg.solve(X.T @ X + lam * jnp.eye(X.shape[1]), X.T @ y)


def ridge_backward(X, y, lam, dw):
    U, s, Vt = jnp.linalg.svd(X, full_matrices=False)
    Mi = Vt.T @ (Vt / (s**2 + lam)[:, None])
    w = Vt.T @ (s / (s**2 + lam) * (U.T @ y))
    u = Mi @ dw
    r = y - X @ w
    return jnp.outer(r, u) - jnp.outer(X @ u, w), X @ u, -u @ w


def ridge_residual(X, y, lam, dw):
    M = X.T @ X + lam * jnp.eye(X.shape[1])
    w = jnp.linalg.solve(M, X.T @ y)
    u = jnp.linalg.solve(M, dw)
    return jnp.outer(y, u) - jnp.outer(X @ u, w), X @ u, -u @ w


WRONG = (
    ByHand(
        "solve with the right-hand side in dA",
        "homework on implicit differentiation of A X = B",
        jnp.linalg.solve,
        lambda g: (g.standard_normal((3, 4, 4)) + 4 * np.eye(4), g.standard_normal((3, 4, 2))),
        solve_with_rhs,
        "dA = -dB B^T uses the right-hand side B in place of the solution X.",
        ("wrong value",),
    ),
    ByHand(
        "forward substitution with a full dL",
        "triangular solve of a Gaussian process library",
        forward_substitution,
        lambda g: (g.standard_normal((5, 5)) + 4 * np.eye(5), g.standard_normal(5)),
        forward_substitution_full,
        "dL is not restricted to the lower triangle that the solve reads.",
        ("mask",),
    ),
    ByHand(
        "trace of a product with both gradients exchanged",
        "matrix cookbook, d tr(AB)",
        trace_product,
        lambda g: (g.standard_normal((4, 4)), g.standard_normal((4, 4))),
        trace_product_swapped,
        "dA is A^T and dB is B^T: the two gradients are exchanged.",
        ("arguments exchanged", "wrong value"),
    ),
    ByHand(
        "quadratic form as if symmetric",
        "matrix cookbook, d x^T A x",
        quadratic_form,
        lambda g: (g.standard_normal((6, 4)), g.standard_normal((4, 4))),
        quadratic_form_symmetric,
        "dx is 2 A x, which holds only for a symmetric A; it must be (A + A^T) x.",
        ("missing term", "transposed", "wrong value"),
    ),
    ByHand(
        "ridge regression with the target for the residual",
        "bilevel optimization of ridge features",
        ridge,
        lambda g: (g.standard_normal((7, 3)), g.standard_normal(7), np.asarray(g.uniform(0.5, 2))),
        ridge_residual,
        "dX has y u^T where (y - X w) u^T belongs: one of the two terms of X^T X is missing.",
        ("missing term", "wrong value"),
    ),
)


RIGHT = (
    ByHand(
        "solve with a hilbert matrix",
        "ill-conditioned linear system, Cholesky solve",
        hilbert_solve,
        lambda g: (g.uniform(1e-4, 2e-4, 5), g.standard_normal(5)),
        hilbert_solve_backward,
    ),
    ByHand(
        "matrix exponential",
        "Frechet derivative by a block matrix, Al-Mohy and Higham 2009",
        jsl.expm,
        lambda g: (g.standard_normal((4, 4)),),
        expm_backward,
    ),
    ByHand(
        "ridge regression",
        "closed form by the SVD, with a learned penalty",
        jax.jit(ridge),
        lambda g: (g.standard_normal((7, 3)), g.standard_normal(7), np.asarray(g.uniform(0.5, 2))),
        ridge_backward,
    ),
)
