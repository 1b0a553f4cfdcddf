"""Layers of networks over tokens: ids to rows of a table, and attention among the rows."""

import jax
import jax.numpy as jnp

from fcnn import ops
from fcnn.layers import initializers
from fcnn.layers.initializers import Initializer
from fcnn.layers.layer import Layer
from fcnn.ops.validation import require_counts

STANDARD = initializers.normal(1.0)


def embedding(classes: int, features: int, *, table_init: Initializer = STANDARD) -> Layer:
    """`fcnn.embedding` of ids, which are integers, in its table (classes, features)."""
    require_counts("embedding", classes=classes, features=features)

    def init(key, shape):
        return {"table": table_init(key, (classes, features))}, {}

    def apply(params, state, x, *, key=None, train=False):
        return ops.embedding(params["table"], x), {}

    return Layer("embedding", init, apply, takes=int)


def multi_head_attention(
    heads: int,
    *,
    features: int | None = None,
    groups: int | None = None,
    causal: bool = False,
    bias: bool = True,
    w_init: Initializer = initializers.glorot,
) -> Layer:
    """`fcnn.multi_head_attention` of a sequence (t, c) with itself.

    `features`, c unless given, is the width of the output and of all heads together; `groups` is
    how many of the heads have keys and values of their own, all unless given.
    """
    groups = heads if groups is None else groups
    require_counts("multi_head_attention", heads=heads, groups=groups)
    if heads % groups:
        raise ValueError(f"multi_head_attention: groups {groups} does not divide {heads} heads")

    def init(key, shape):
        c = shape[-1]
        o = c if features is None else features
        if o % heads:
            raise ValueError(f"multi_head_attention: heads {heads} does not divide {o} features")
        d, wide, short = o // heads, (heads, o // heads), (groups, o // heads)
        draw = lambda key, h: w_init(key, (c, h * d)).reshape(c, h, d)
        q, k, v, out = jax.random.split(key, 4)
        weights = {"wq": draw(q, heads), "wk": draw(k, groups), "wv": draw(v, groups)}
        weights |= {"wo": w_init(out, (o, o)).reshape(heads, d, o)}
        biases = {"bq": wide, "bk": short, "bv": short, "bo": o}
        zeros = {name: jnp.zeros(size) for name, size in biases.items()}
        return weights | (zeros if bias else {}), {}

    def apply(params, state, x, *, key=None, train=False):
        return ops.multi_head_attention(x, **params, causal=causal), {}

    def multiply_adds(shape, out):
        (t, c), o = shape, out[-1]
        maps = c * o + 2 * c * (o // heads) * groups + o * o
        return t * maps + 2 * t * t * o

    return Layer("multi_head_attention", init, apply, multiply_adds)
