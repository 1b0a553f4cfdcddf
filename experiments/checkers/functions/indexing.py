"""Embeddings, gathers, scatters, segments and networks on graphs."""

import jax
import jax.numpy as jnp
from jax import lax

from experiments.checkers.functions.function import Function


def embedding_bag(table, ids, bags):
    """The mean embedding of each of three bags of ids."""
    total = jax.ops.segment_sum(jnp.take(table, ids, axis=0), bags, num_segments=3)
    count = jax.ops.segment_sum(jnp.ones_like(ids, table.dtype), bags, num_segments=3)
    return total / jnp.maximum(count, 1)[:, None]


def scatter_add(values, rows, cols, vector):
    """A sparse matrix in coordinate form becomes dense and is applied."""
    dense = jnp.zeros((4, vector.shape[0]), values.dtype).at[rows, cols].add(values)
    return jnp.sinh(dense @ vector)


def scatter_max(base, slots, updates):
    """Each slot keeps the largest of its start value and its updates."""
    return jnp.exp(jnp.asarray(base).at[slots].max(updates))


def picked_log_prob(logits, actions):
    """log pi(a | s) by take_along_axis."""
    logp = jax.nn.log_softmax(logits)
    return jnp.take_along_axis(logp, actions[..., None], axis=-1).squeeze(-1)


def gcn(x, senders, receivers, w):
    """Sum over edges weighted by 1 / sqrt(deg_i deg_j), with self loops."""
    n = x.shape[0]
    degree = 1 + jnp.zeros(n, x.dtype).at[receivers].add(1.0)
    h = x @ w / jnp.sqrt(degree)[:, None]
    total = h + jnp.zeros_like(h).at[receivers].add(h[senders])
    return jax.nn.relu(total / jnp.sqrt(degree)[:, None])


def gat(x, senders, receivers, w, a):
    """Graph attention: a softmax over the incoming edges of each node."""
    h = jnp.asarray(x @ w)
    n = x.shape[0]
    score = jax.nn.leaky_relu(h[senders] + h[receivers], 0.2) @ a
    top = jax.ops.segment_max(score, receivers, num_segments=n)
    e = jnp.exp(score - top[receivers])
    z = jax.ops.segment_sum(e, receivers, num_segments=n)
    return jax.ops.segment_sum((e / z[receivers])[:, None] * h[senders], receivers, n)


def edge_network(nodes, edges, pairs, w_edge, w_node):
    """Edges updated from their ends, nodes from the mean of their edges."""
    ends = jnp.concatenate([edges, *jnp.take(nodes, pairs, axis=0)], axis=-1)
    edges = jnp.tanh(ends @ w_edge)
    inbox = jnp.zeros((nodes.shape[0], edges.shape[1]), edges.dtype)
    inbox = inbox.at[pairs[1]].add(edges) / edges.shape[0]
    return jnp.concatenate([nodes, inbox], axis=-1) @ w_node, edges


def crop(image, start, kernel):
    """A window at an integer place, cut by dynamic_slice and weighted."""
    window = lax.dynamic_slice(image, (start[0], start[1], 0), (3, 2, image.shape[2]))
    return jnp.tensordot(kernel, window, axes=((0, 1), (0, 1)))


def paste(canvas, patch, start):
    """A patch over the canvas by dynamic_update_slice, then differences of rows."""
    canvas = lax.dynamic_update_slice(canvas, patch, (start[0], start[1]))
    return jnp.diff(canvas, axis=0) ** 2


def shuffle_channels(x, order, shift, w):
    """Channels permuted by a drawn order; the axis after them rolled."""
    y = jnp.roll(jnp.take(x, order, axis=1), shift, axis=2)
    return jnp.einsum("bcl,c->bl", jnp.arctan(y), w)


def row_products(x, rows, factors):
    """Some rows multiplied in place and one column set to the row sums."""
    y = jnp.asarray(x).at[rows].multiply(factors[:, None], unique_indices=True)
    return y.at[:, 0].set(y.sum(axis=1))


FUNCTIONS = (
    Function(
        "embedding_bag",
        embedding_bag,
        lambda rng: (
            rng.normal(size=(6, 4)),
            rng.integers(0, 6, size=8),
            rng.integers(0, 3, size=8),
        ),
    ),
    Function(
        "scatter_add",
        scatter_add,
        lambda rng: (
            rng.normal(size=9) / 2,
            rng.integers(0, 4, size=9),
            rng.integers(0, 5, size=9),
            rng.normal(size=5),
        ),
    ),
    Function(
        "scatter_max",
        scatter_max,
        lambda rng: (
            rng.normal(size=(4, 3)),
            rng.integers(0, 4, size=6),
            rng.normal(size=(6, 3)),
        ),
    ),
    Function(
        "picked_log_prob",
        picked_log_prob,
        lambda rng: (rng.normal(size=(4, 4, 4)), rng.integers(0, 4, size=(4, 4))),
    ),
    Function(
        "gcn",
        gcn,
        lambda rng: (
            rng.normal(size=(6, 3)),
            rng.integers(0, 6, size=10),
            rng.integers(0, 6, size=10),
            rng.normal(size=(3, 4)),
        ),
    ),
    Function(
        "gat",
        gat,
        lambda rng: (
            rng.normal(size=(5, 5)),
            rng.integers(0, 5, size=9),
            rng.integers(0, 5, size=9),
            rng.normal(size=(5, 5)),
            rng.normal(size=5),
        ),
    ),
    Function(
        "edge_network",
        edge_network,
        lambda rng: (
            rng.normal(size=(4, 3)),
            rng.normal(size=(7, 2)),
            rng.integers(0, 4, size=(2, 7)),
            rng.normal(size=(8, 5)) / 2,
            rng.normal(size=(8, 3)),
        ),
    ),
    Function(
        "crop",
        crop,
        lambda rng: (
            rng.normal(size=(6, 5, 2)),
            rng.integers(0, 4, size=2),
            rng.normal(size=(3, 2, 4)),
        ),
    ),
    Function(
        "paste",
        paste,
        lambda rng: (
            rng.normal(size=(6, 6)),
            rng.normal(size=(3, 3)),
            rng.integers(0, 4, size=2),
        ),
    ),
    Function(
        "shuffle_channels",
        shuffle_channels,
        lambda rng: (
            rng.normal(size=(2, 5, 6)),
            rng.permutation(5),
            rng.integers(1, 6, size=()),
            rng.normal(size=5),
        ),
    ),
    Function(
        "row_products",
        row_products,
        lambda rng: (
            rng.normal(size=(7, 4)),
            rng.permutation(7)[:3],
            rng.normal(size=3),
        ),
    ),
)
