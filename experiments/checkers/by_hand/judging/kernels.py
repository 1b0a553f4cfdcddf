"""Kernels, distances, assignments and factorizations."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def distances(x):
    d2 = jnp.sum((x[:, None] - x[None]) ** 2, axis=-1)
    off = ~jnp.eye(x.shape[0], dtype=bool)
    return jnp.where(off, jnp.sqrt(jnp.where(off, d2, 1.0)), 0.0)


def distances_divided(x, dD):
    delta = x[:, None] - x[None]
    D = np.sqrt((delta**2).sum(-1))
    return (np.einsum("ij,ijd->id", (dD + dD.T) / D, delta),)


def ard_kernel(x, z, ell, amplitude):
    r = (x[:, None] - z[None]) / ell
    return amplitude**2 * jnp.exp(-0.5 * jnp.sum(r * r, axis=-1))


def ard_kernel_square(x, z, ell, amplitude, dK):
    diff = x[:, None] - z[None]
    K = amplitude**2 * jnp.exp(-0.5 * jnp.sum((diff / ell) ** 2, axis=-1))
    G = dK * K
    dx = -jnp.einsum("nm,nmd->nd", G, diff / ell**2)
    dz = jnp.einsum("nm,nmd->md", G, diff / ell**2)
    dell = jnp.einsum("nm,nmd->d", G, diff**2 / ell**2)
    return dx, dz, dell, 2 * jnp.sum(G) / amplitude


def factorization(params, R, seen):
    E = params["U"] @ params["V"].T + params["user"][:, None] + params["item"] - R
    fit = jnp.sum(jnp.where(seen, E, 0.0) ** 2)
    return fit + 0.1 * (jnp.sum(params["U"] ** 2) + jnp.sum(params["V"] ** 2))


def factorization_args(g):
    shapes = {"U": (6, 3), "V": (5, 3), "user": (6,), "item": (5,)}
    params = {k: g.standard_normal(s) for k, s in shapes.items()}
    return params, g.standard_normal((6, 5)), g.random((6, 5)) < 0.5


def factorization_item_bias(params, R, seen, dy):
    U, V = params["U"], params["V"]
    E = 2 * dy * (U @ V.T + params["user"][:, None] + params["item"] - R)
    G = np.where(seen, E, 0)
    grads = {
        "U": G @ V + 0.2 * dy * U,
        "V": G.T @ U + 0.2 * dy * V,
        "user": G.sum(1),
        "item": E.sum(0),
    }
    return grads, -G, None


def sne(Y, P):
    W = 1 / (1 + jnp.sum((Y[:, None] - Y[None]) ** 2, axis=-1))
    W = W * (1 - jnp.eye(Y.shape[0]))
    logW = jnp.log(jnp.where(W > 0, W, 1.0))
    return jnp.sum(P * (jnp.log(jnp.where(P > 0, P, 1.0)) - logW)) + jnp.log(jnp.sum(W))


def sne_args(g):
    P = g.uniform(0.1, 1, (7, 7)) * (1 - np.eye(7))
    return g.standard_normal((7, 2)), (P + P.T) / (2 * P.sum())


def sne_half(Y, P, dy):
    delta = Y[:, None] - Y[None]
    W = 1 / (1 + np.sum(delta**2, axis=-1))
    np.fill_diagonal(W, 0)
    dY = 2 * dy * np.einsum("ij,ijd->id", (P - W / W.sum()) * W, delta)
    off = ~np.eye(len(Y), dtype=bool)
    ratio = np.where(off, P / np.where(off, W, 1), 1)
    return dY, dy * np.where(off, np.log(ratio) + 1, 0)


def soft_assignment(x, centroids):
    d2 = jnp.sum((x[:, None] - centroids) ** 2, axis=-1)
    return jax.nn.softmax(-d2, axis=-1)


def soft_assignment_shape(x, centroids, dA):
    diff = x[:, None] - centroids
    A = jax.nn.softmax(-jnp.sum(diff**2, axis=-1), axis=-1)
    dd = -A * (dA - jnp.sum(A * dA, axis=-1, keepdims=True))
    dx = 2 * jnp.einsum("nk,nkd->nd", dd, diff)
    return dx, -2 * jnp.einsum("nk,nkd->dk", dd, diff)


def mmd(x, y):
    def k(a, b):
        return jnp.mean(jnp.exp(-jnp.sum((a[:, None] - b[None]) ** 2, axis=-1)))

    return k(x, x) + k(y, y) - 2 * k(x, y)


def mmd_backward(x, y, dy):
    z = np.concatenate([x, y])
    w = np.concatenate([np.full(len(x), 1 / len(x)), np.full(len(y), -1 / len(y))])
    sq = np.sum(z * z, axis=1)
    K = np.outer(w, w) * np.exp(2 * z @ z.T - sq[:, None] - sq)
    dz = 4 * dy * (K @ z - K.sum(1)[:, None] * z)
    return dz[: len(x)], dz[len(x) :]


def cp_decomposition(A, B, C):
    return jnp.einsum("ir,jr,kr->ijk", A, B, C)


def khatri_rao(P, Q):
    return (P[:, None, :] * Q[None, :, :]).reshape(-1, P.shape[1])


def cp_decomposition_backward(A, B, C, dT):
    i, j, k = dT.shape
    dA = dT.reshape(i, j * k) @ khatri_rao(B, C)
    dB = dT.transpose(1, 0, 2).reshape(j, i * k) @ khatri_rao(A, C)
    dC = dT.transpose(2, 0, 1).reshape(k, i * j) @ khatri_rao(A, B)
    return dA, dB, dC


def gp_evidence(x, y, theta):
    scale, ell, noise = jnp.exp(theta)
    K = scale * jnp.exp(-0.5 * ((x[:, None] - x) / ell) ** 2) + noise * jnp.eye(x.shape[0])
    L = jnp.linalg.cholesky(K)
    alpha = jax.scipy.linalg.cho_solve((L, True), y)
    return -0.5 * y @ alpha - jnp.sum(jnp.log(jnp.diagonal(L)))


def gp_evidence_backward(x, y, theta, dy):
    scale, ell, noise = np.exp(theta)
    r = x[:, None] - x
    Kf = scale * np.exp(-0.5 * (r / ell) ** 2)
    Ki = np.linalg.inv(Kf + noise * np.eye(len(x)))
    alpha = Ki @ y
    G = 0.5 * dy * (np.outer(alpha, alpha) - Ki)
    dtheta = np.array([np.sum(G * Kf), np.sum(G * Kf * (r / ell) ** 2), noise * np.trace(G)])
    return -2 * np.sum(G * Kf * r, axis=1) / ell**2, -dy * alpha, dtheta


WRONG = (
    ByHand(
        "distance matrix divided by its diagonal",
        "pairwise distances of a molecule",
        distances,
        lambda g: (g.standard_normal((6, 3)),),
        distances_divided,
        "The diagonal of the quotient is 0 / 0.",
        ("not finite",),
    ),
    ByHand(
        "length scales of a kernel, squared",
        "automatic relevance determination, Rasmussen and Williams 5.1",
        ard_kernel,
        lambda g: (
            g.standard_normal((5, 3)),
            g.standard_normal((4, 3)),
            g.uniform(0.5, 2, 3),
            np.asarray(g.uniform(0.5, 2)),
        ),
        ard_kernel_square,
        "dell has the length scale squared in the denominator where the cube belongs.",
        ("missing factor", "wrong derivative"),
    ),
    ByHand(
        "item bias from unseen ratings",
        "matrix factorization with a mask of ratings",
        factorization,
        factorization_args,
        factorization_item_bias,
        "The gradient of the item bias sums over all ratings, not only over the seen ones.",
        ("mask", "wrong value"),
    ),
    ByHand(
        "t-sne with two for four",
        "van der Maaten and Hinton 2008, equation 5",
        sne,
        sne_args,
        sne_half,
        "The factor is 2 where 4 belongs, since each pair occurs twice.",
        ("constant factor",),
    ),
    ByHand(
        "soft assignment with transposed centroids",
        "deep embedded clustering",
        soft_assignment,
        lambda g: (g.standard_normal((7, 4)), g.standard_normal((3, 4))),
        soft_assignment_shape,
        "The gradient of the centroids is transposed.",
        ("transposed", "shape"),
    ),
)


RIGHT = (
    ByHand(
        "maximum mean discrepancy",
        "signed weights on the joined samples",
        mmd,
        lambda g: (g.standard_normal((6, 3)), 0.5 + g.standard_normal((4, 3))),
        mmd_backward,
    ),
    ByHand(
        "canonical polyadic decomposition",
        "Kolda and Bader 2009, unfoldings and Khatri-Rao products",
        cp_decomposition,
        lambda g: tuple(g.standard_normal(s) for s in ((4, 3), (5, 3), (6, 3))),
        cp_decomposition_backward,
    ),
    ByHand(
        "gaussian process evidence",
        "Rasmussen and Williams, equation 5.9",
        gp_evidence,
        lambda g: (g.standard_normal(8), g.standard_normal(8), 0.3 * g.standard_normal(3) - 0.5),
        gp_evidence_backward,
    ),
)
