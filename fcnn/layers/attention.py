"""Layers for sequences of tokens: embedding and multi-head attention."""

import jax
import jax.numpy as jnp

from fcnn import ops
from fcnn.layers import initializers
from fcnn.layers.initializers import Initializer
from fcnn.layers.layer import Layer
from fcnn.ops.validation import named, require, require_counts

STANDARD = initializers.normal(1.0)


def embedding(classes: int, features: int, *, table_init: Initializer = STANDARD) -> Layer:
    """`fcnn.embedding`: rows of a table, looked up by integer id.

    Shapes: x (n, *axes) integers in 0 .. classes - 1 -> y (n, *axes, features);
            params: table (classes, features).
    Options:
        classes: number of rows.
        features: entries of each row.
        table_init: initializer of the table; standard normal if not given.
    Raises: ValueError if `classes` or `features` is below 1; TypeError if either is not an integer,
            or if x does not hold integers.

    >>> embedding = fcnn.layers.embedding(3, 3, table_init=fcnn.layers.initializers.identity)
    >>> params, state = embedding.init(jax.random.key(0), ())
    >>> embedding.apply(params, state, jnp.array([2, 0]))[0]
    Array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    with named("embedding"):
        require_counts(classes=classes, features=features)

    def init(key, shape):
        return {"table": table_init(key, (classes, features))}, {}

    def apply(params, state, x, *, key=None, train=False):
        return ops.embedding(params["table"], x), {}

    return Layer("embedding", init, apply, input_dtype=int)


def multi_head_attention(
    heads: int,
    *,
    features: int | None = None,
    groups: int | None = None,
    causal: bool = False,
    bias: bool = True,
    w_init: Initializer = initializers.glorot,
) -> Layer:
    """Multi-head self-attention: `fcnn.multi_head_attention` with its parameters.

    o is `features` and d is o / heads.

    Shapes: x (n, t, c) -> y (n, t, o); params: wq (c, heads, d), wk and wv (c, groups, d),
            wo (heads, d, o), bq (heads, d), bk and bv (groups, d), bo (o,).
    Options:
        heads: number of heads; divides o.
        features: o, the width of the output and of all heads together; c if None.
        groups: number of heads of keys and values; divides `heads`; `heads` if None.
        causal: whether a position attends only to itself and to earlier positions.
        bias: whether the four projections have biases, which start at 0.
        w_init: initializer of the four kernels, each drawn as a matrix.
    Raises: ValueError if `heads` does not divide o, or `groups` does not divide `heads`.
    Source: Vaswani et al., arXiv:1706.03762; groups: Ainslie et al., arXiv:2305.13245.
    """
    groups = heads if groups is None else groups
    with named("multi_head_attention"):
        require_counts(heads=heads, groups=groups)
        require(heads % groups == 0, f"groups {groups} does not divide {heads} heads")

    def init(key, shape):
        c = shape[-1]
        o = c if features is None else features
        with named("multi_head_attention"):
            require(o % heads == 0, f"heads {heads} does not divide {o} features")
        d = o // heads
        draw = lambda key, h: w_init(key, (c, h * d)).reshape(c, h, d)
        q, k, v, out = jax.random.split(key, 4)
        weights = {"wq": draw(q, heads), "wk": draw(k, groups), "wv": draw(v, groups)}
        weights |= {"wo": w_init(out, (o, o)).reshape(heads, d, o)}
        biases = {"bq": (heads, d), "bk": (groups, d), "bv": (groups, d), "bo": (o,)}
        zeros = {name: jnp.zeros(size) for name, size in biases.items()}
        return weights | (zeros if bias else {}), {}

    def apply(params, state, x, *, key=None, train=False):
        return ops.multi_head_attention(x, **params, causal=causal), {}

    def multiply_adds(shape, out):
        (t, c), o = shape, out[-1]
        projections = c * o + 2 * c * (o // heads) * groups + o * o
        return t * projections + 2 * t * t * o

    return Layer("multi_head_attention", init, apply, multiply_adds)
