"""Kinks, signed zeros, norms at zero and infinite logits."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def with_zeros(rng, *shape):
    x = rng.normal(size=shape)
    x.flat[:4] = 0.0, 1e-12, -1e-12, -0.0
    return x


def relu_layer(x, w):
    return jnp.maximum(x, 0) @ w


def relu_layer_backward(x, w, dy):
    return np.where(x > 0, dy @ w.T, 0), np.maximum(x, 0).T @ dy


def absolute_error(x, y):
    return jnp.sum(jnp.abs(x - y) * jnp.arange(1.0, 7.0))


def absolute_error_args(rng):
    y = rng.normal(size=6)
    x = y + rng.normal(size=6)
    x[:4], y[:4] = (0, 1e-12, -1e-12, y[3]), (0, 0, 0, y[3])
    return x, y


def absolute_error_backward(x, y, dl):
    g = dl * np.sign(x - y) * np.arange(1.0, 7.0)
    return g, -g


def maxout(x, w):
    return w * x.max(1)


def maxout_args(rng):
    x = rng.normal(size=(5, 3))
    x[:4] = [0, 1e-12, -1], [0, -1, 0], [1e-12, 2e-12, 0], [1, 1, 0]
    return x, rng.normal(size=5)


def maxout_backward(x, w, dy):
    return (dy * w)[:, None] * np.eye(3)[x.argmax(1)], dy * x.max(1)


def leaky(x):
    return jnp.where(x >= 0, x, 0.1 * x)


def leaky_backward(x, dy):
    return (np.where(x < 0, 0.1, 1.0) * dy,)


def signed_square(x, a):
    return a * x * jnp.abs(x)


def signed_square_backward(x, a, dy):
    return 2 * a * abs(x) * dy, (dy * x * abs(x)).sum(0)


def zero_rows(rng):
    x = rng.normal(size=(5, 3))
    x[1] = x[3] = 0
    return (x,)


def row_norms(x):
    return jnp.linalg.norm(x, axis=1)


def row_norms_backward(x, dy):
    r = np.linalg.norm(x, axis=1)[:, None]
    return (np.divide(x, r, out=np.zeros_like(x), where=r > 0) * dy[:, None],)


def unit_rows(x):
    s = jnp.sum(x * x, axis=1, keepdims=True)
    return jnp.where(s > 0, x / jnp.sqrt(jnp.where(s > 0, s, 1)), 0)


def unit_rows_backward(x, dy):
    dx, dy = np.zeros_like(x), np.asarray(dy)
    for i, r in enumerate(np.linalg.norm(x, axis=1)):
        if r:
            u = x[i] / r
            dx[i] = (dy[i] - u * (u @ dy[i])) / r
    return (dx,)


def some_infinite(rng):
    x = rng.normal(size=(4, 5))
    x[0, 1] = x[2, :4] = x[3, 0] = -np.inf
    return (x,)


def log_sum_exp(x):
    return jax.scipy.special.logsumexp(x, axis=1)


def log_sum_exp_backward(x, dy):
    e = np.exp(x - x.max(1, keepdims=True))
    return (e / e.sum(1, keepdims=True) * dy[:, None],)


def log_chain(logp, e):
    """Log of the forward probabilities of a chain that may not go back."""
    a = e[0]
    for t in range(1, len(e)):
        a = jax.nn.logsumexp(a[:, None] + logp, axis=0) + e[t]
    return jax.nn.logsumexp(a)


def log_chain_args(rng):
    logp = np.where(np.tri(3).T > 0, rng.normal(size=(3, 3)), -np.inf)
    return logp, rng.normal(size=(4, 3))


def log_chain_backward(logp, e, dl):
    p, b = np.exp(logp), np.exp(e)
    f, g = [b[0]], [np.ones(3)]
    for t in range(1, len(e)):
        f.append((f[-1] @ p) * b[t])
        g.insert(0, p @ (b[-t] * g[0]))
    z = f[-1].sum()
    dlogp = sum(np.outer(f[t - 1], b[t] * g[t]) * p for t in range(1, len(e)))
    return dl * dlogp / z, dl * np.array(f) * np.array(g) / z


WRONG = ()


RIGHT = (
    ByHand(
        "relu at zero and 1e-12",
        "kinks",
        relu_layer,
        lambda rng: (with_zeros(rng, 4, 3), rng.normal(size=(3, 2))),
        relu_layer_backward,
    ),
    ByHand(
        "absolute error at zero and 1e-12",
        "kinks",
        absolute_error,
        absolute_error_args,
        absolute_error_backward,
    ),
    ByHand("maxout at zero and 1e-12", "Goodfellow 2013", maxout, maxout_args, maxout_backward),
    ByHand(
        "leaky relu at minus zero",
        "signed zeros",
        leaky,
        lambda rng: (with_zeros(rng, 3, 3),),
        leaky_backward,
    ),
    ByHand(
        "signed square at minus zero",
        "signed zeros",
        signed_square,
        lambda rng: (with_zeros(rng, 3, 4), rng.normal(size=4)),
        signed_square_backward,
    ),
    ByHand("norms of zero rows", "subgradient 0", row_norms, zero_rows, row_norms_backward),
    ByHand("unit rows with zeros", "safe division", unit_rows, zero_rows, unit_rows_backward),
    ByHand(
        "logsumexp with minus infinity",
        "masked logits",
        log_sum_exp,
        some_infinite,
        log_sum_exp_backward,
    ),
    ByHand("left to right chain", "Rabiner 1989", log_chain, log_chain_args, log_chain_backward),
)
