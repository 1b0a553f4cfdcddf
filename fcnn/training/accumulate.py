"""Gradient accumulation: a batch in k parts, one after the other, in the memory of one part.

    g = 1/k sum_i gradient of the mean loss of part i

Part i has the examples i, i + k, i + 2k, ... So each device of a mesh takes its share of every part
from its own examples. The parts thread the state of the model, and each has its own random key.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from fcnn.ops.arrays import is_float
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.sharding import of_batch
from fcnn.ops.validation import require
from fcnn.training.batch import Batch, common_length
from fcnn.training.sources.source import shards


def value_in_parts(objective: Callable[..., Any], k: int) -> Callable[..., jax.Array]:
    """The mean over k parts of objective(params, state, batch, key) -> value, (state, ...)."""

    def mean(params, state, batch, key):
        def body(state, part):
            value, (state, *_) = objective(params, state, *_with_key(part, key))
            return state, value

        return lax.scan(body, state, _parts(batch, k))[1].mean()

    return mean


def gradient_in_parts(gradient: Callable[..., Any], k: int) -> Callable[..., Any]:
    """`gradient` of a batch, computed in k parts.

    Options:
        gradient: function (params, state, batch, key, ...) -> (value, aux), g of the mean over a
            batch, where aux is (new state, outputs, loss of each example, mean loss).
    """

    def whole(params, state, batch, key, *rest):
        def body(carry, part):
            state, total = carry
            (value, (state, *found)), g = gradient(params, state, *_with_key(part, key), *rest)
            total = jax.tree.map(lambda t, a: t + a.astype(t.dtype), total, g)
            return (state, total), (value, *found)

        wide = lambda p: accumulation_dtype(p.dtype) if is_float(p) else p.dtype
        zeros = jax.tree.map(lambda p: jnp.zeros_like(p, wide(p)), params)
        (state, total), found = lax.scan(body, (state, zeros), _parts(batch, k))
        value, y, each, mean = found
        g = jax.tree.map(lambda t, p: (t / k).astype(p.dtype), total, params)
        y, each = jax.tree.map(_joined, (y, each))
        return (value.mean(), (state, y, each, mean.mean())), g

    return whole


def _parts(batch: Batch, k: int):
    """The number of each part, and the parts, along a new first axis."""
    n = common_length(batch)
    require(n % k == 0, f"accumulate {k} does not divide the batch of {n} examples")
    return jnp.arange(k, dtype=jnp.uint32), jax.tree.map(lambda a: _split(a, k), dict(batch))


def _with_key(part, key):
    i, batch = part
    return batch, jax.random.fold_in(key, i)


def _split(a, k):
    """a (n, ...) -> (k, n / k, ...), sharded along n / k as a is along n."""
    m, where = a.shape[0] // k, of_batch(a)
    cannot = f"accumulate {k}: {shards(where)} devices cannot share parts of {m} examples"
    require(m % shards(where) == 0, cannot)
    return jnp.moveaxis(jnp.reshape(a, (m, k, *a.shape[1:]), out_sharding=where), 1, 0)


def _joined(a):
    """a (k, m, ...) -> (k m, ...): the inverse of `_split`."""
    require(a.ndim > 1, "accumulate: an output of the model has no axis of examples")
    a = jnp.moveaxis(a, 0, 1)
    return jnp.reshape(a, (a.shape[0] * a.shape[1], *a.shape[2:]), out_sharding=of_batch(a))
