"""Cholesky, inverses, solves, eigenvectors and QR."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def normals(*shapes):
    return lambda rng: tuple(rng.normal(size=shape) for shape in shapes)


def positive(rng, n, least=0.5):
    m = rng.normal(size=(n, n))
    return m @ m.T / n + least * np.eye(n)


def factor_norm(a, w):
    return jnp.linalg.cholesky(a) * w


def factor_not_halved(a, w, dy):
    r = np.linalg.cholesky(a)
    p = np.tril(r.T @ np.asarray(dy * w))
    inv = np.linalg.inv(r)
    s = inv.T @ p @ inv
    return (s + s.T) / 2, dy * r


def whiten(a, x):
    return jax.scipy.linalg.solve_triangular(jnp.linalg.cholesky(a), x.T, lower=True).T


def whiten_not_halved(a, x, dz):
    inv = np.linalg.inv(np.linalg.cholesky(a))
    dx = dz @ inv
    dr = -dx.T @ (x @ inv.T)
    p = np.tril(np.linalg.cholesky(a).T @ dr)
    s = inv.T @ p @ inv
    return (s + s.T) / 2, dx


def whiten_backward(a, x, dz):
    r = np.linalg.cholesky(a)
    inv = np.linalg.inv(r)
    dx = dz @ inv
    p = np.tril(-r.T @ dx.T @ (x @ inv.T))
    p -= np.diag(np.diag(p)) / 2
    s = inv.T @ p @ inv
    return (s + s.T) / 2, dx


def inverse(a, x):
    return jnp.linalg.inv(a + 4 * jnp.eye(len(a))) @ x


def inverse_once(a, x, dy):
    b = np.linalg.inv(a + 4 * np.eye(len(a)))
    return -b.T @ dy @ x.T, b.T @ dy


def bilinear(u, a, v):
    return u @ jnp.linalg.solve(a, v)


def bilinear_args(rng):
    return rng.normal(size=4), rng.normal(size=(4, 4)) + 4 * np.eye(4), rng.normal(size=4)


def bilinear_once(u, a, v, dy):
    p, q = np.linalg.solve(a.T, u), np.linalg.solve(a, v)
    return dy * q, -dy * np.outer(u, q), dy * p


def factor(a):
    return jnp.linalg.cholesky(a)


def factor_backward(a, dl):
    """Smith 1995, by loops over the entries."""
    r, f = np.linalg.cholesky(a), np.tril(dl)
    n = len(a)
    for k in range(n - 1, -1, -1):
        for j in range(k + 1, n):
            for i in range(j, n):
                f[i, k] -= f[i, j] * r[j, k]
                f[j, k] -= f[i, j] * r[i, k]
        for j in range(k + 1, n):
            f[j, k] /= r[k, k]
            f[k, k] -= r[j, k] * f[j, k]
        f[k, k] /= 2 * r[k, k]
    return ((f + f.T) / 2,)


def gaussian_process(k, y):
    r = jnp.linalg.cholesky(k)
    z = jax.scipy.linalg.solve_triangular(r, y, lower=True)
    return 0.5 * z @ z + jnp.log(jnp.diagonal(r)).sum()


def gaussian_process_args(rng):
    t = np.sort(rng.random(5))
    return np.exp(-8 * (t[:, None] - t) ** 2) + 1e-2 * np.eye(5), rng.normal(size=5)


def gaussian_process_backward(k, y, dl):
    inv = np.linalg.inv(k)
    a = inv @ y
    return dl * (inv - np.outer(a, a)) / 2, dl * a


def solve(a, b):
    return jnp.linalg.solve(a, b)


def solve_args(rng):
    i = np.arange(1, 5)
    return 1 / (i[:, None] + i - 1) + 1e-5 * rng.normal(size=(4, 4)), rng.normal(size=(4, 3))


def solve_backward(a, b, dx):
    db = np.linalg.solve(a.T, dx)
    return -db @ np.linalg.solve(a, b).T, db


def forward_substitution(r, b):
    return jax.scipy.linalg.solve_triangular(r, b, lower=True)


def forward_substitution_args(rng):
    r = rng.normal(size=(5, 5))
    return r + np.diag(3 * np.sign(np.diag(r))), rng.normal(size=(5, 2))


def forward_substitution_backward(r, b, dx):
    x, db = np.linalg.solve(np.tril(r), b), np.array(dx)
    for i in range(len(r) - 1, -1, -1):
        db[i] = (db[i] - r[i + 1 :, i] @ db[i + 1 :]) / r[i, i]
    return np.tril(-db @ x.T), db


def eigen(a):
    w, v = jnp.linalg.eigh(a)
    return w, v**2


def eigen_args(rng):
    a = rng.normal(size=(4, 4)) * 0.2
    return (a + a.T + np.diag([1.0, 3, 5, 7]),)


def eigen_backward(a, dy):
    w, v = np.linalg.eigh(a)
    dw, dv = dy[0], 2 * v * dy[1]
    gap = w - w[:, None] + np.eye(len(w))
    s = v @ (np.diag(dw) + (1 - np.eye(len(w))) / gap * (v.T @ dv)) @ v.T
    return ((s + s.T) / 2,)


def entropy(a):
    w = jnp.linalg.eigvalsh(a)
    p = w / w.sum()
    return -jnp.sum(p * jnp.log(p))


def entropy_backward(a, dl):
    w, v = np.linalg.eigh(a)
    p = w / w.sum()
    g = -(np.log(p) - p @ np.log(p)) / w.sum()
    return (dl * np.einsum("ik,k,jk->ij", v, g, v),)


def qr(a):
    return jnp.linalg.qr(a)


def qr_backward(a, dy):
    (q, r), (dq, dr) = np.linalg.qr(a), dy
    m = r @ dr.T - dq.T @ q
    m = np.tril(m) + np.tril(m, -1).T
    return (np.linalg.solve(r, (dq + q @ m).T).T,)


def least_squares(a, y):
    q, r = jnp.linalg.qr(a)
    return jax.scipy.linalg.solve_triangular(r, q.T @ y)


def least_squares_backward(a, y, dw):
    g = np.linalg.inv(a.T @ a)
    w, u = g @ a.T @ y, g @ dw
    return np.outer(y - a @ w, u) - np.outer(a @ u, w), a @ u


WRONG = (
    ByHand(
        "cholesky diagonal not halved",
        "Murray 2016, differentiation of the Cholesky decomposition",
        factor_norm,
        lambda rng: (positive(rng, 4), rng.normal(size=(4, 4))),
        factor_not_halved,
        "the diagonal inside the two solves is not halved",
        ("missing factor", "missing term"),
    ),
    ByHand(
        "whitening diagonal not halved",
        "Cholesky whitening",
        whiten,
        lambda rng: (positive(rng, 3), rng.normal(size=(6, 3))),
        whiten_not_halved,
        "the diagonal inside the two solves is not halved",
        ("missing factor", "missing term"),
    ),
    ByHand(
        "inverse applied once",
        "Petersen and Pedersen, the matrix cookbook",
        inverse,
        normals((4, 4), (4, 4)),
        inverse_once,
        "the inverse is applied on the left only, not on both sides",
        ("missing factor",),
    ),
    ByHand(
        "bilinear inverse applied once",
        "adjoint method",
        bilinear,
        bilinear_args,
        bilinear_once,
        "u instead of the adjoint solution in the gradient of a",
        ("missing factor", "wrong value"),
    ),
)

RIGHT = (
    ByHand(
        "cholesky by loops",
        "Smith 1995",
        factor,
        lambda rng: (positive(rng, 5, 1e-3),),
        factor_backward,
    ),
    ByHand(
        "whitening",
        "Cholesky whitening",
        whiten,
        lambda rng: (positive(rng, 3), rng.normal(size=(6, 3))),
        whiten_backward,
    ),
    ByHand(
        "gaussian process likelihood",
        "Rasmussen and Williams 2006, (5.9)",
        gaussian_process,
        gaussian_process_args,
        gaussian_process_backward,
    ),
    ByHand("solve near a hilbert matrix", "Giles 2008", solve, solve_args, solve_backward),
    ByHand(
        "forward substitution",
        "upper triangle unused",
        forward_substitution,
        forward_substitution_args,
        forward_substitution_backward,
    ),
    ByHand("eigenvalues and squared vectors", "Giles 2008", eigen, eigen_args, eigen_backward),
    ByHand(
        "von Neumann entropy",
        "spectral function",
        entropy,
        lambda rng: (positive(rng, 4, 0.1),),
        entropy_backward,
    ),
    ByHand("qr of a tall matrix", "Seeger et al. 2017", qr, normals((5, 3)), qr_backward),
    ByHand(
        "least squares by qr",
        "Golub and Pereyra 1973",
        least_squares,
        normals((7, 3), (7,)),
        least_squares_backward,
    ),
)
