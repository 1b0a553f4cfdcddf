"""Segments and graphs."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def segment_ids(g, n, k):
    return np.sort(np.append(np.arange(k), g.integers(0, k, n - k)))


def segment_mean(x, ids):
    count = jnp.bincount(ids, length=4)
    return jax.ops.segment_sum(x, ids, 4) / count[:, None]


def segment_mean_undivided(x, ids, dy):
    return dy[ids], None


def segment_max(x, ids):
    return jax.ops.segment_max(x, ids, 3)


def segment_max_args(g):
    ids = segment_ids(g, 10, 3)
    x = g.standard_normal(10)
    for k in range(3):
        x[ids == k] = np.minimum(x[ids == k], np.sort(x[ids == k])[max(-2, -sum(ids == k))])
    return x, ids


def segment_max_all_ties(x, ids, dy):
    y = np.full(3, -np.inf)
    np.maximum.at(y, ids, x)
    return np.where(x == y[ids], dy[ids], 0), None


def graph_convolution(A, X, W):
    A = A + jnp.eye(A.shape[0])
    return (A / jnp.sum(A, axis=1, keepdims=True)) @ X @ W


def directed_graph(g, n=6):
    A = (g.random((n, n)) < 0.4).astype(float) * g.uniform(0.5, 2, (n, n))
    return A, g.standard_normal((n, 4)), g.standard_normal((4, 3))


def graph_convolution_constant_degree(A, X, W, dY):
    A1 = A + np.eye(len(A))
    d = A1.sum(1, keepdims=True)
    P = A1 / d
    dXW = P.T @ dY
    return (dY @ (X @ W).T) / d, dXW @ W.T, X.T @ dXW


def message_passing(h, W, senders, receivers):
    m = h[senders] @ W
    return jnp.zeros((h.shape[0], W.shape[1])).at[receivers].add(m)


def message_args(g):
    senders = np.append(g.permutation(5), g.integers(0, 5, 6))
    receivers = np.append(np.roll(senders[:5], 1), g.integers(0, 5, 6))
    return g.standard_normal((5, 3)), g.standard_normal((3, 3)), senders, receivers


def message_passing_back_to_receivers(h, W, senders, receivers, dout):
    dm = np.asarray(dout)[receivers]
    dh = np.zeros_like(h)
    np.add.at(dh, receivers, dm @ W.T)
    return dh, h[senders].T @ dm, None, None


def edge_softmax(scores, V, senders, receivers):
    top = jax.ops.segment_max(scores, receivers, 5)
    e = jnp.exp(scores - top[receivers])
    alpha = e / jax.ops.segment_sum(e, receivers, 5)[receivers]
    return jax.ops.segment_sum(alpha[:, None] * V[senders], receivers, 5)


def edge_softmax_args(g):
    _, _, senders, receivers = message_args(g)
    return 2 * g.standard_normal(11), g.standard_normal((5, 3)), senders, receivers


def edge_softmax_gradient(scores, V, senders, receivers, dout, groups):
    dout = np.asarray(dout)
    e = np.exp(scores - scores.max())
    alpha = e / np.bincount(receivers, e, 5)[receivers]
    dV = np.zeros_like(V)
    np.add.at(dV, senders, alpha[:, None] * dout[receivers])
    dalpha = np.sum(dout[receivers] * V[senders], axis=1)
    mean = np.bincount(groups, alpha * dalpha, 5)[groups]
    return alpha * (dalpha - mean), dV, None, None


def pooled_by_owner(x, owner):
    return jax.ops.segment_sum(x, owner, num_segments=4)


def pooled_by_owner_backward(x, owner, dy):
    valid = (owner >= 0) & (owner < 4)
    return np.where(valid[:, None], np.asarray(dy)[np.clip(owner, 0, 3)], 0), None


WRONG = (
    ByHand(
        "segment mean without the counts",
        "graph pooling",
        segment_mean,
        lambda g: (g.standard_normal((11, 3)), segment_ids(g, 11, 4)),
        segment_mean_undivided,
        "The gradient is not divided by the number of rows of each segment.",
        ("missing factor", "sum for mean"),
    ),
    ByHand(
        "segment maximum with all ties in full",
        "max readout of a graph",
        segment_max,
        segment_max_args,
        segment_max_all_ties,
        "Each of the equal largest entries gets the whole gradient.",
        ("ties",),
    ),
    ByHand(
        "graph convolution with constant degrees",
        "learned adjacency with row normalization",
        graph_convolution,
        directed_graph,
        graph_convolution_constant_degree,
        "The row sums are taken for constants, so their term is missing in dA.",
        ("missing term",),
    ),
    ByHand(
        "messages sent back to the receivers",
        "message passing, senders and receivers confused",
        message_passing,
        message_args,
        message_passing_back_to_receivers,
        "dh is scattered to the receivers in place of the senders.",
        ("wrong value", "transposed"),
    ),
    ByHand(
        "edge softmax centred by sender",
        "graph attention network",
        edge_softmax,
        edge_softmax_args,
        lambda s, V, i, j, dout: edge_softmax_gradient(s, V, i, j, dout, i),
        "The mean in the softmax gradient runs over the edges of a sender, not of a receiver.",
        ("wrong axis", "wrong value"),
    ),
)


RIGHT = (
    ByHand(
        "segment sum with ids out of range",
        "rows of no owner, marked by -1 or a number too large, are dropped",
        pooled_by_owner,
        lambda g: (g.standard_normal((10, 3)), g.integers(-1, 6, 10)),
        pooled_by_owner_backward,
    ),
    ByHand(
        "edge softmax",
        "graph attention network, shifted by the global maximum",
        edge_softmax,
        edge_softmax_args,
        lambda s, V, i, j, dout: edge_softmax_gradient(s, V, i, j, dout, j),
    ),
)
