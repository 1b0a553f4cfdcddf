"""Sorting, top-k, maxima with ties and medians."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def top_mean(x, w):
    return jax.lax.top_k(x, 3)[0] @ w


def top_mean_smallest(x, w, dy):
    order = np.argsort(x, axis=1)
    dx = np.zeros_like(x)
    np.put_along_axis(dx, order[:, :3], np.outer(dy, w), 1)
    return dx, np.take_along_axis(x, order[:, :-4:-1], 1).T @ dy


def router(x, wg, we):
    """Mixture of two of four linear experts."""
    g, i = jax.lax.top_k(x @ wg, 2)
    y = jnp.einsum("nd,edf->nef", x, we)
    return jnp.einsum("nk,nkf->nf", jax.nn.softmax(g), jnp.take_along_axis(y, i[..., None], 1))


def router_sorted(x, wg, we, dy):
    g, i = jax.lax.top_k(x @ wg, 2)
    p, rows = jax.nn.softmax(g), jnp.arange(len(x))[:, None]
    y = jnp.einsum("nd,edf->nef", x, we)[rows, i]
    dp = jnp.einsum("nf,nkf->nk", dy, y)
    dg = p * (dp - jnp.sum(p * dp, 1, keepdims=True))
    dz = jnp.zeros((len(x), 4)).at[rows, jnp.sort(i, axis=1)].set(dg)
    c = jnp.zeros((len(x), 4)).at[rows, i].set(p)
    dx = dz @ wg.T + jnp.einsum("ne,nf,edf->nd", c, dy, we)
    return dx, x.T @ dz, jnp.einsum("ne,nd,nf->edf", c, x, dy)


def tied_rows(rng):
    x = rng.integers(0, 4, size=(3, 6)).astype(float)
    x[0, [1, 3, 4]] = 7
    return x, rng.normal(size=6)


def owa(x, w):
    return jnp.sort(x, axis=1) @ w


def owa_backward(x, w, dy):
    order = np.argsort(x, axis=1, kind="stable")
    dx = np.empty_like(x)
    np.put_along_axis(dx, order, np.outer(dy, w), 1)
    return dx, np.take_along_axis(x, order, 1).T @ dy


def best_three(x):
    return jax.lax.top_k(x, 3)[0]


def best_three_backward(x, dy):
    dx = np.zeros_like(x)
    for i, row in enumerate(x):
        best = sorted(range(len(row)), key=lambda j: (-row[j], j))[:3]
        dx[i, best] = dy[i]
    return (dx,)


SEGMENTS = np.array([0, 1, 0, 0, 1, 2, 2, 1, 2])


def segment_max(x, w):
    return w * jax.ops.segment_max(x, SEGMENTS, 3)


def segment_args(rng):
    x = rng.integers(0, 3, size=9).astype(float)
    x[[0, 2, 3, 4, 7]] = 5
    return x, rng.normal(size=3)


def segment_max_shared(x, w, dy):
    m = np.array([x[s == SEGMENTS].max() for s in range(3)])
    best = x == m[SEGMENTS]
    return best * (w * dy / np.bincount(SEGMENTS, best))[SEGMENTS], dy * m


def neighbours(x, w, nodes):
    """Every node takes the largest message, feature by feature."""
    return jnp.tanh(jax.ops.segment_max(x, nodes, 3)) @ w


def neighbours_args(rng):
    x = rng.integers(0, 2, size=(8, 2)) / 2
    x[:3] = 0.75
    return x, rng.normal(size=(2, 3)), np.array([0, 0, 0, 1, 2, 1, 2, 1])


def neighbours_first(x, w, nodes, dy):
    dx, h = np.zeros_like(x), np.zeros((3, 2))
    for s in range(3):
        members = np.flatnonzero(nodes == s)
        best = members[x[members].argmax(0)]
        h[s] = np.tanh(x[best, [0, 1]])
        dx[best, [0, 1]] = (1 - h[s] ** 2) * (w @ dy[s])
    return dx, h.T @ dy, None


def running_max(x):
    return jax.lax.cummax(x, axis=1)


def running_max_backward(x, dy):
    dx = np.zeros_like(x)
    for i, row in enumerate(x):
        for t in range(len(row)):
            dx[i, row[: t + 1].argmax()] += dy[i, t]
    return (dx,)


def drawdown(x):
    return jnp.mean(jax.lax.cummax(x) - x)


def drawdown_backward(x, dl):
    dx, best = np.full_like(x, -1), 0
    for t in range(len(x)):
        best = t if x[t] >= x[best] else best
        dx[best] += 1
    return (dl * dx / len(x),)


def median_columns(x, w):
    return jnp.median(x, axis=0) * w


def median_columns_backward(x, w, dy):
    order = np.argsort(x, axis=0)
    dx, n, c = np.zeros_like(x), len(x), np.arange(x.shape[1])
    for i in (n // 2 - 1, n // 2):
        dx[order[i], c] += dy * w / 2
    return dx, dy * np.median(x, axis=0)


def median_spread(x):
    m = jnp.median(x)
    return m, jnp.sum((x - m) ** 2)


def median_spread_backward(x, dy):
    i = np.argsort(x)[len(x) // 2 - 1 : len(x) // 2 + 1]
    r = x - np.median(x)
    dx = np.array(2 * dy[1] * r)
    dx[i] += (dy[0] - 2 * dy[1] * r.sum()) / 2
    return (dx,)


WRONG = (
    ByHand(
        "top k smallest",
        "k-max pooling",
        top_mean,
        lambda rng: (rng.normal(size=(4, 7)), rng.normal(size=3)),
        top_mean_smallest,
        "the gradient goes to the smallest entries instead of the largest",
        ("flipped", "wrong value", "mask"),
    ),
    ByHand(
        "router in sorted order",
        "Shazeer et al. 2017, mixture of experts",
        router,
        lambda rng: (
            rng.normal(size=(16, 3)),
            rng.normal(size=(3, 4)),
            rng.normal(size=(4, 3, 2)),
        ),
        router_sorted,
        "the gradients of the gates are scattered to the experts in sorted order",
        ("channels exchanged", "wrong value", "flipped"),
        named=False,
    ),
)


RIGHT = (
    ByHand("ordered weights with ties", "Yager 1988", owa, tied_rows, owa_backward),
    ByHand(
        "top k with ties",
        "ties of three",
        best_three,
        lambda rng: tied_rows(rng)[:1],
        best_three_backward,
    ),
    ByHand("segment max shared", "ties share", segment_max, segment_args, segment_max_shared),
    ByHand(
        "segment max to the first",
        "ties of three",
        neighbours,
        neighbours_args,
        neighbours_first,
    ),
    ByHand(
        "running maximum with ties",
        "first of equals",
        running_max,
        lambda rng: tied_rows(rng)[:1],
        running_max_backward,
    ),
    ByHand(
        "drawdown with ties",
        "last of equals",
        drawdown,
        lambda rng: (rng.integers(0, 4, size=8).astype(float),),
        drawdown_backward,
    ),
    ByHand(
        "median of an even number",
        "both middle rows",
        median_columns,
        lambda rng: (rng.normal(size=(6, 3)), rng.normal(size=3)),
        median_columns_backward,
    ),
    ByHand(
        "spread around the median",
        "two outputs",
        median_spread,
        lambda rng: (rng.normal(size=8),),
        median_spread_backward,
    ),
)
