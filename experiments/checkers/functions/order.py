"""Sorting, selection, quantiles and running extremes."""

import jax
import jax.numpy as jnp
from jax import lax

from experiments.checkers.functions.function import Function


def sorted_mean(x, weights):
    """Ordered weighted average: softmax(w) . sort(x) along the first axis."""
    return jax.nn.softmax(weights) @ jnp.sort(x, axis=0)


def top_k_router(x, router, values):
    """The two best experts of each token share a softmax."""
    logits, index = lax.top_k(x @ router, 2)
    return jnp.einsum("tk,tkd->td", jax.nn.softmax(logits), jnp.asarray(values)[index])


def best_candidate(scores, candidates):
    """The candidate of the highest score, scaled by the score."""
    best = jnp.argmax(scores, axis=-1)
    chosen = jnp.take_along_axis(candidates, best[:, None, None], axis=1)[:, 0]
    return chosen * scores.max(axis=-1, keepdims=True)


def quantiles(x, scale):
    """Three linear quantiles of each row of a scaled sample."""
    q = jnp.array([0.15, 0.5, 0.83], x.dtype)
    return jnp.quantile(jnp.exp(scale * x), q, axis=1)


def drawdown(log_returns):
    """The greatest fall from a running maximum, and the last value."""
    path = jnp.cumsum(log_returns, axis=-1)
    peak = lax.cummax(path, axis=path.ndim - 1)
    return jnp.max(peak - path, axis=-1), jnp.exp(path[..., -1])


def compositing(alphas, colors):
    """Front to back: sum_i c_i a_i prod_(j<i) (1 - a_j)."""
    a = jax.nn.sigmoid(alphas)
    through = jnp.cumprod(1 - a, axis=0)
    before = jnp.concatenate([jnp.ones_like(a[:1]), through[:-1]])
    return jnp.einsum("sp,spc->pc", a * before, colors)


def sort_by_key(keys, values, w):
    """Rows in the order of their key; the weights belong to the places."""
    order = jnp.argsort(-keys)
    ordered = jnp.take_along_axis(values, order[:, None], axis=0)
    return (ordered * w[:, None]).sum(axis=0) * jnp.max(keys)


def chamfer(a, b):
    """Mean distance to the nearest point of the other set, both ways."""
    d = jnp.sqrt(jnp.sum((a[:, None] - b[None]) ** 2, axis=-1))
    return d.min(axis=1).mean() + d.min(axis=0).mean()


def sliced_wasserstein(x, y, directions):
    """Squared distance of the sorted projections, over directions of norm 1."""
    u = directions / jnp.linalg.norm(directions, axis=1, keepdims=True)
    gap = jnp.sort(x @ u.T, axis=0) - jnp.sort(y @ u.T, axis=0)
    return jnp.mean(gap**2, axis=0)


def trimmed_loss(pred, target):
    """Mean of the five smallest squared errors out of eight."""
    errors = jnp.sum((pred - target) ** 2, axis=-1)
    kept = -lax.top_k(-errors, 5)[0]
    return kept.mean()


def sparsemax(z):
    """The projection of each row onto the simplex, by sorting."""
    ordered = jnp.flip(jnp.sort(z, axis=-1), axis=-1)
    k = jnp.arange(1, z.shape[-1] + 1, dtype=z.dtype)
    sums = jnp.cumsum(ordered, axis=-1)
    size = jnp.sum(1 + k * ordered > sums, axis=-1, keepdims=True)
    tau = (jnp.take_along_axis(sums, size - 1, axis=-1) - 1) / size.astype(z.dtype)
    return jnp.maximum(z - tau, 0)


def running_lse(x, w):
    """Cumulative log-sum-exp from the right, weighted per step."""
    return w @ lax.cumlogsumexp(x, axis=0, reverse=True)


FUNCTIONS = (
    Function(
        "sorted_mean",
        sorted_mean,
        lambda rng: (rng.normal(size=(6, 4)), rng.normal(size=6)),
    ),
    Function(
        "top_k_router",
        top_k_router,
        lambda rng: (
            rng.normal(size=(5, 3)),
            rng.normal(size=(3, 4)),
            rng.normal(size=(4, 2)),
        ),
    ),
    Function(
        "best_candidate",
        best_candidate,
        lambda rng: (rng.normal(size=(4, 5)), rng.normal(size=(4, 5, 3))),
    ),
    Function(
        "quantiles",
        quantiles,
        lambda rng: (rng.normal(size=(4, 9)), rng.uniform(0.3, 1, size=())),
    ),
    Function("drawdown", drawdown, lambda rng: (rng.normal(-0.05, 0.3, size=(3, 8)),)),
    Function(
        "compositing",
        compositing,
        lambda rng: (rng.normal(size=(6, 4)), rng.uniform(size=(6, 4, 3))),
    ),
    Function(
        "sort_by_key",
        sort_by_key,
        lambda rng: (rng.normal(size=7), rng.normal(size=(7, 3)), rng.normal(size=7)),
    ),
    Function(
        "chamfer",
        chamfer,
        lambda rng: (rng.normal(size=(6, 3)), rng.normal(size=(5, 3))),
    ),
    Function(
        "sliced_wasserstein",
        sliced_wasserstein,
        lambda rng: (
            rng.normal(size=(5, 5)),
            rng.normal(size=(5, 5)),
            rng.normal(size=(5, 5)),
        ),
    ),
    Function(
        "trimmed_loss",
        trimmed_loss,
        lambda rng: (rng.normal(size=(8, 2)), rng.normal(size=(8, 2))),
    ),
    Function("sparsemax", sparsemax, lambda rng: (rng.normal(size=(5, 6)),)),
    Function("running_lse", running_lse, lambda rng: (rng.normal(size=(6, 6)), rng.normal(size=6))),
)
