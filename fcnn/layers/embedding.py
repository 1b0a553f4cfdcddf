"""Embedding layer: a trained table, looked up by token id."""

import jax.numpy as jnp

from fcnn import ops
from fcnn.layers import initializers
from fcnn.layers.call import PADDING, real
from fcnn.layers.initializers import Initializer
from fcnn.layers.layer import Layer
from fcnn.layers.leaf import leaf
from fcnn.ops.validation import named, require_counts

STANDARD = initializers.normal(1.0)


def embedding(classes: int, features: int, *, table_init: Initializer = STANDARD) -> Layer:
    """`fcnn.embedding`: rows of a table, looked up by integer id.

    Shapes: x (n, *axes) integers in 0 .. classes - 1 -> y (n, *axes, features);
            params: table (classes, features). Reads: mask (n, *axes) and lengths (n,); padding may
            be any integer, and gets row 0.
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

    def f(params, x, call):
        mask = real(call, x[..., None]) if x.ndim > 1 else None
        if mask is not None:
            # padding is often -1, whose row is NaN: the gradients of later layers would be NaN
            x = jnp.where(mask, x, jnp.zeros_like(x))
        return ops.embedding(params["table"], x)

    return leaf(
        "embedding",
        f,
        lambda key, x: {"table": table_init(key, (classes, features))},
        parameters=("table",),
        reads=PADDING,
        input_dtype=int,
    )
