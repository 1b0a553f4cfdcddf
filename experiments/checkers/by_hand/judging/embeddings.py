"""Embeddings, segments, experts and latent variables."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def softmax(s):
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def tied(tokens, table, w):
    """Language model whose output matrix is the embedding table."""
    return jnp.tanh(table[tokens] @ w) @ table.T


def tied_args(rng):
    return rng.integers(0, 6, 9), rng.normal(size=(6, 4)), rng.normal(size=(4, 4)) * 0.6


def tied_backward(tokens, table, w, dy):
    e = table[tokens]
    h = np.tanh(e @ w)
    dz = (dy @ table) * (1 - h**2)
    dtable = np.asarray(dy.T @ h).copy()
    for t, row in zip(tokens, dz @ w.T, strict=True):
        dtable[t] += row
    return None, dtable, e.T @ dz


def tied_output_only(tokens, table, w, dy):
    e = table[tokens]
    h = np.tanh(e @ w)
    dz = (dy @ table) * (1 - h**2)
    return None, dy.T @ h, e.T @ dz


def padded_lookup(tokens, table):
    """Embedding in which the padding token 0 gives zeros."""
    return jnp.where((tokens != 0)[..., None], table[tokens], 0)


def padded_lookup_args(rng):
    tokens = rng.integers(0, 7, (3, 5))
    tokens[:, 3:] = 0
    return tokens, rng.normal(size=(7, 3))


def padded_lookup_counted(tokens, table, dy):
    dtable = jnp.zeros_like(table).at[tokens].add(dy)
    return None, dtable


def experts(x, gate, w):
    """Mixtral: the softmax runs over the two largest of four gates."""
    top, chosen = jax.lax.top_k(x @ gate, 2)
    p = jax.nn.softmax(top, axis=-1)
    y = jnp.einsum("nd,nkde->nke", x, w[chosen])
    return jnp.einsum("nk,nke->ne", p, y)


experts_args = lambda rng: tuple(rng.normal(size=s) for s in ((6, 3), (3, 4), (4, 3, 3)))


def experts_backward(x, gate, w, dy):
    dx, dgate, dw = np.zeros_like(x), np.zeros_like(gate), np.zeros_like(w)
    for n, (row, d) in enumerate(zip(x, np.asarray(dy), strict=True)):
        z = row @ gate
        a, b = np.argsort(-z)[:2]
        p = 1 / (1 + np.exp(z[b] - z[a]))
        ya, yb = row @ w[a], row @ w[b]
        dz = p * (1 - p) * np.dot(d, ya - yb)
        dgate[:, a] += dz * row
        dgate[:, b] -= dz * row
        dw[a] += p * np.outer(row, d)
        dw[b] += (1 - p) * np.outer(row, d)
        dx[n] = dz * (gate[:, a] - gate[:, b]) + p * w[a] @ d + (1 - p) * w[b] @ d
    return dx, dgate, dw


def segment_mean(x, segment):
    """Graph readout: the mean of each of four segments."""
    total = jax.ops.segment_sum(x, segment, 4)
    count = jax.ops.segment_sum(jnp.ones(len(x), x.dtype), segment, 4)
    return total / jnp.maximum(count, 1)[:, None]


segment_args = lambda rng: (rng.normal(size=(11, 3)), np.sort(rng.integers(0, 4, 11)))


def segment_mean_total(x, segment, dy):
    return dy[segment], None


def segment_softmax(scores, values, segment):
    """GAT: edges compete among those with the same target node."""
    top = jax.ops.segment_max(scores, segment, 4)
    e = jnp.exp(scores - top[segment])
    p = e / jax.ops.segment_sum(e, segment, 4)[segment]
    return jax.ops.segment_sum(p[:, None] * values, segment, 4)


def edge_args(rng):
    return rng.normal(size=10) * 3 + 200, rng.normal(size=(10, 3)), rng.integers(0, 4, 10)


def segment_softmax_dense(scores, values, segment, dy):
    member = segment == np.arange(4)[:, None]
    p = softmax(np.where(member.any(1)[:, None], np.where(member, scores, -1e9), 0)) * member
    g = values @ dy.T
    dp = np.sum(p * g.T, axis=1)
    ds = np.sum(p * (g.T - dp[:, None]), axis=0)
    return ds, p.T @ dy, None


def latent(mu, log_var, key):
    """VAE sample and its divergence from the prior."""
    z = mu + jnp.exp(0.5 * log_var) * jax.random.normal(key, mu.shape, mu.dtype)
    return z, 0.5 * jnp.sum(mu**2 + jnp.exp(log_var) - 1 - log_var, axis=-1)


def latent_args(rng):
    key = np.asarray(jax.random.PRNGKey(int(rng.integers(1 << 30))))
    return rng.normal(size=(4, 5)), rng.normal(size=(4, 5)), key


def latent_backward(mu, log_var, key, dy):
    dz, dkl = dy[0], dy[1][:, None]
    half = jnp.exp(log_var / 2)
    noise = jax.random.normal(key, mu.shape, mu.dtype)
    return dz + dkl * mu, 0.5 * (dz * half * noise + dkl * (half**2 - 1)), None


def latent_new_noise(mu, log_var, key, dy):
    dz, dkl = dy[0], dy[1][:, None]
    half = jnp.exp(log_var / 2)
    noise = np.random.default_rng().normal(size=mu.shape)
    return dz + dkl * mu, 0.5 * (dz * half * noise + dkl * (half**2 - 1)), None


def sample(mu, log_var, noise):
    return mu + jnp.exp(0.5 * log_var) * noise


def sample_full_slope(mu, log_var, noise, dy):
    std = jnp.exp(0.5 * log_var)
    return dy, dy * std * noise, dy * std


THREE = lambda rng: tuple(rng.normal(size=(4, 6)) for _ in range(3))

WRONG = (
    ByHand(
        "tied table as output only",
        "weight tying, Press and Wolf",
        tied,
        tied_args,
        tied_output_only,
        "The gradient of the table lacks its use as input embedding.",
        ("missing term",),
    ),
    ByHand(
        "padding row receives gradient",
        "torch.nn.Embedding, padding_idx",
        padded_lookup,
        padded_lookup_args,
        padded_lookup_counted,
        "The row of the padding token collects gradient.",
        ("mask", "single entry"),
    ),
    ByHand(
        "segment mean as a sum",
        "graph network readout",
        segment_mean,
        segment_args,
        segment_mean_total,
        "dx is not divided by the size of its segment.",
        ("missing factor", "sum for mean"),
    ),
    ByHand(
        "latent with new noise",
        "VAE",
        latent,
        latent_args,
        latent_new_noise,
        "The noise is drawn anew, without the key.",
        ("not deterministic", "wrong value"),
    ),
    ByHand(
        "log variance without one half",
        "VAE",
        sample,
        THREE,
        sample_full_slope,
        "The exponent 0.5 * log_var is differentiated without 0.5.",
        ("constant factor", "missing factor"),
    ),
)
RIGHT = (
    ByHand("tied table", "weight tying", tied, tied_args, tied_backward),
    ByHand("experts by loops", "Mixtral", experts, experts_args, experts_backward),
    ByHand("edges by a dense mask", "GAT", segment_softmax, edge_args, segment_softmax_dense),
    ByHand("latent and divergence", "VAE", latent, latent_args, latent_backward),
)
