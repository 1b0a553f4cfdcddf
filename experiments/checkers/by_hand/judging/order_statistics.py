"""Sorting, ranks, quantiles and scatter operations."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def sort_columns(x):
    return jnp.sort(x, axis=0)


def sort_columns_gathered(x, dy):
    return (jnp.take_along_axis(dy, jnp.argsort(x, axis=0), axis=0),)


def quantiles(x):
    return jnp.quantile(x, jnp.array([0.1, 0.5, 0.8]), axis=1)


def quantiles_weights_exchanged(x, dq):
    dx, order, n = np.zeros_like(x), np.argsort(x, axis=1), x.shape[1]
    rows = np.arange(len(x))
    for k, q in enumerate((0.1, 0.5, 0.8)):
        i = int(q * (n - 1))
        f = q * (n - 1) - i
        np.add.at(dx, (rows, order[:, i]), f * dq[k])
        np.add.at(dx, (rows, order[:, i + 1]), (1 - f) * dq[k])
    return (dx,)


def overwrite_rows(x, v, idx):
    return x.at[idx].set(v)


def overwrite_rows_leaking(x, v, idx, dy):
    return dy, dy[idx], None


def trimmed_mean(x):
    return jnp.mean(jnp.sort(x, axis=-1)[..., 2:-2], axis=-1)


def trimmed_mean_all(x, dy):
    rank = np.argsort(np.argsort(x, axis=-1), axis=-1)
    keep = (rank >= 2) & (rank < x.shape[-1] - 2)
    return (keep * np.asarray(dy)[..., None] / x.shape[-1],)


def soft_rank(x):
    return 0.5 + jnp.sum(jax.nn.sigmoid((x[:, :, None] - x[:, None, :]) / 0.3), axis=2)


def soft_rank_own_row(x, dr):
    s = jax.nn.sigmoid((x[:, :, None] - x[:, None, :]) / 0.3)
    K = s * (1 - s) / 0.3
    return (dr * (K.sum(2) - jnp.diagonal(K, axis1=1, axis2=2)),)


def vocabulary_counts(tokens, table):
    return jnp.sum(table[tokens], axis=1)


def vocabulary_counts_padded(tokens, table, dy):
    dtable = np.zeros_like(table)
    for n in range(len(tokens)):
        for token in tokens[n]:
            dtable[token] += dy[n]
    dtable[0] = 0
    return None, dtable


def top_k_sum(x, w):
    values, _ = jax.lax.top_k(x, 3)
    return values @ w


def top_k_sum_backward(x, w, dy):
    dy = np.asarray(dy)
    part = np.argpartition(-x, 2, axis=1)[:, :3]
    values = np.take_along_axis(x, part, axis=1)
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for n, (cols, v) in enumerate(zip(part, values, strict=True)):
        for col in cols:
            rank = int((v > x[n, col]).sum())
            dx[n, col] = dy[n] * w[rank]
            dw[rank] += dy[n] * x[n, col]
    return dx, dw


def wasserstein(x, y):
    return jnp.mean(jnp.abs(jnp.sort(x) - jnp.sort(y)))


def wasserstein_backward(x, y, dw):
    # The distance is the area between the two distribution functions, so a point moves the
    # height on its left against that on its right.
    z = np.concatenate([x, y])
    before = np.abs(np.sum(x < z[:, None], axis=1) - np.sum(y < z[:, None], axis=1))
    after = np.abs(np.sum(x <= z[:, None], axis=1) - np.sum(y <= z[:, None], axis=1))
    d = dw * (before - after) / len(x)
    return d[: len(x)], d[len(x) :]


def scatter_empty(x, v, idx):
    return x.at[idx].multiply(v)


def scatter_empty_backward(x, v, idx, dy):
    return dy, np.zeros((0, x.shape[1])), None


WRONG = (
    ByHand(
        "sort with a gather",
        "sorting homework, permutation against its inverse",
        sort_columns,
        lambda g: (g.standard_normal((6, 4)),),
        sort_columns_gathered,
        "dy is gathered by the permutation where it must be scattered by it.",
        ("transposed", "wrong value"),
        named=False,
    ),
    ByHand(
        "quantiles with the weights exchanged",
        "linear interpolation between order statistics",
        quantiles,
        lambda g: (g.standard_normal((3, 8)),),
        quantiles_weights_exchanged,
        "The lower order statistic gets the weight of the upper one and the reverse.",
        ("flipped", "wrong value"),
    ),
    ByHand(
        "overwritten rows that keep their gradient",
        "x.at[idx].set(v), as in a memory or a cache",
        overwrite_rows,
        lambda g: (g.standard_normal((6, 3)), g.standard_normal((2, 3)), g.permutation(6)[:2]),
        overwrite_rows_leaking,
        "dx is not set to zero in the rows that were overwritten.",
        ("mask",),
    ),
    ByHand(
        "trimmed mean over all entries",
        "robust aggregation of gradients",
        trimmed_mean,
        lambda g: (g.standard_normal((2, 3, 9)),),
        trimmed_mean_all,
        "The gradient is divided by all entries in place of those that are kept.",
        ("constant factor",),
    ),
    ByHand(
        "soft ranks without the other entries",
        "pairwise sigmoid ranking loss",
        soft_rank,
        lambda g: (g.standard_normal((2, 6)),),
        soft_rank_own_row,
        "The effect of an entry on the ranks of the others is missing.",
        ("missing term",),
    ),
    ByHand(
        "bag of words with a dead first row",
        "padding index 0 set by habit",
        vocabulary_counts,
        lambda g: (np.c_[g.integers(0, 6, (4, 5)), np.arange(4) % 2], g.standard_normal((6, 3))),
        vocabulary_counts_padded,
        "Row 0 gets no gradient, as if it were padding; the forward pass uses it.",
        ("border dropped", "single entry", "mask"),
    ),
)


RIGHT = (
    ByHand(
        "weighted sum of the three largest",
        "order statistics, by partition and counting",
        top_k_sum,
        lambda g: (g.standard_normal((4, 8)), g.standard_normal(3)),
        top_k_sum_backward,
    ),
    ByHand(
        "wasserstein distance of samples",
        "area between the two empirical distribution functions",
        wasserstein,
        lambda g: (g.standard_normal(8), 0.3 + g.standard_normal(8)),
        wasserstein_backward,
    ),
    ByHand(
        "scatter of no rows",
        "an empty index array, as for a graph without edges",
        scatter_empty,
        lambda g: (g.standard_normal((4, 3)), np.zeros((0, 3)), np.zeros(0, int)),
        scatter_empty_backward,
    ),
)
