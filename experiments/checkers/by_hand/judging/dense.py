"""Dense layers, with the passes that students write."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def two_layer_loss(x, labels, w1, b1, w2, b2):
    h = jnp.maximum(x @ w1 + b1, 0)
    scores = h @ w2 + b2
    rows = jnp.arange(x.shape[0])
    data = jnp.mean(jax.nn.logsumexp(scores, axis=1) - scores[rows, labels])
    return data + 0.3 * (jnp.sum(w1**2) + jnp.sum(w2**2))


def two_layer_args(rng):
    return (
        rng.normal(size=(7, 5)),
        rng.integers(0, 4, 7),
        rng.normal(size=(5, 6)) * 0.5,
        rng.normal(size=6) * 0.3,
        rng.normal(size=(6, 4)) * 0.5,
        rng.normal(size=4) * 0.3,
    )


def two_layer_scores(x, labels, w1, b1, w2, b2):
    h = np.maximum(0, x @ w1 + b1)
    scores = h @ w2 + b2
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(labels)), labels] -= 1
    return h, p / len(labels)


def two_layer_backward(x, labels, w1, b1, w2, b2, dy):
    h, ds = two_layer_scores(x, labels, w1, b1, w2, b2)
    dw2 = h.T @ ds + 2 * 0.3 * w2
    dh = ds @ w2.T
    dh[h <= 0] = 0
    dw1 = x.T @ dh + 2 * 0.3 * w1
    dy = float(dy)
    return dy * (dh @ w1.T), None, dy * dw1, dy * dh.sum(0), dy * dw2, dy * ds.sum(0)


def two_layer_own_mask(x, labels, w1, b1, w2, b2, dy):
    h, ds = two_layer_scores(x, labels, w1, b1, w2, b2)
    dw2 = h.T @ ds + 2 * 0.3 * w2
    dh = ds @ w2.T
    dh[dh <= 0] = 0
    dw1 = x.T @ dh + 2 * 0.3 * w1
    dy = float(dy)
    return dy * (dh @ w1.T), None, dy * dw1, dy * dh.sum(0), dy * dw2, dy * ds.sum(0)


def linear(x, w, b):
    return x @ w.T + b


square = lambda rng: (rng.normal(size=(5, 5)), rng.normal(size=(5, 5)), rng.normal(size=5))


def linear_untransposed(x, w, b, dy):
    return dy @ w.T, dy.T @ x, dy.sum(0)


def linear_other_layout(x, w, b, dy):
    return dy @ w, x.T @ dy, dy.sum(0)


def tokens(x, w, b):
    return jnp.einsum("btd,df->btf", x, w) + b


tokens_args = lambda rng: (rng.normal(size=(3, 4, 5)), rng.normal(size=(5, 6)), rng.normal(size=6))


def tokens_batch_only(x, w, b, dy):
    return (
        jnp.einsum("btf,df->btd", dy, w),
        jnp.einsum("btd,btf->df", x, dy),
        dy.sum(axis=0),
    )


def tokens_flattened(x, w, b, dy):
    flat = dy.reshape(-1, dy.shape[-1])
    dw = x.reshape(-1, x.shape[-1]).T @ flat
    return (flat @ w.T).reshape(x.shape), dw, flat.sum(0)


def bilinear(x, w, z):
    """Form of torch.nn.Bilinear: y[n,k] = x[n] W[k] z[n]."""
    return jnp.einsum("ni,kij,nj->nk", x, w, z)


def bilinear_args(rng):
    return rng.normal(size=(6, 4)), rng.normal(size=(3, 4, 4)), rng.normal(size=(6, 4))


def bilinear_swapped(x, w, z, dy):
    dx = jnp.einsum("nk,kij,ni->nj", dy, w, x)
    dz = jnp.einsum("nk,kij,nj->ni", dy, w, z)
    return dx, jnp.einsum("nk,ni,nj->kij", dy, x, z), dz


def bilinear_vmapped(x, w, z, dy):
    def one(xn, zn, dn):
        wn = jnp.tensordot(dn, w, axes=1)
        return wn @ zn, dn[:, None, None] * jnp.outer(xn, zn), xn @ wn

    dx, dw, dz = jax.vmap(one)(x, z, dy)
    return dx, dw.sum(0), dz


CS231N = "CS231n, assignment 1 and 2, two-layer net"

WRONG = (
    ByHand(
        "two layer net masked by the gradient",
        CS231N,
        two_layer_loss,
        two_layer_args,
        two_layer_own_mask,
        "The ReLU mask is taken from the sign of dh in place of h.",
        ("mask", "wrong derivative", "wrong value"),
    ),
    ByHand(
        "linear times w transposed",
        "questions about torch.nn.Linear",
        linear,
        square,
        linear_untransposed,
        "dx multiplies by the transposed weight.",
        ("transposed",),
    ),
    ByHand(
        "linear with dw in the other layout",
        "questions about torch.nn.Linear",
        linear,
        square,
        linear_other_layout,
        "dw is returned as (in, out) where the weight is (out, in).",
        ("transposed",),
    ),
    ByHand(
        "token bias summed over the batch only",
        "shape pitfall of sequence models",
        tokens,
        tokens_args,
        tokens_batch_only,
        "db is not summed over time.",
        ("not reduced",),
    ),
    ByHand(
        "bilinear inputs exchanged",
        "textbook",
        bilinear,
        bilinear_args,
        bilinear_swapped,
        "dx and dz are returned in each other's place.",
        ("arguments exchanged",),
    ),
)
RIGHT = (
    ByHand("two layer net", CS231N, two_layer_loss, two_layer_args, two_layer_backward),
    ByHand("tokens flattened", "framework source", tokens, tokens_args, tokens_flattened),
    ByHand("bilinear by vmap", "textbook", bilinear, bilinear_args, bilinear_vmapped),
)
