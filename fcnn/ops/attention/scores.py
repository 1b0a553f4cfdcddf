"""Scores of one block of keys, and products of attention in mixed precision.

    m[t,s] = scale sum_d q[t,d] k[s,d]
    c[t,s] = softcap tanh(m[t,s] / softcap)             m itself without softcap
    a[t,s] = c[t,s] + mask[t,s]                         -inf where query t may not attend to key s
    dm[t,s] = da[t,s] (1 - (c[t,s] / softcap)^2)

Arrays have the layouts of `heads.py`.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from fcnn.ops.attention.heads import Keys
from fcnn.ops.attention.mask import added
from fcnn.ops.contraction import accumulation_dtype


class Scoring(NamedTuple):
    """How scores follow from products, and which keys a query may attend to."""

    scale: float
    softcap: float | None
    causal: bool
    window: int | None
    lengths: Array | None  # (n,): keys at or beyond lengths[n] are masked
    offset: Array | None  # (n,): the position of the first query among the keys


def scores(queries: Array, keys: Keys, s: int, how: Scoring) -> tuple[Array, Array]:
    """a and c of one block of keys, (n, g, r, t, l); a is -inf for masked keys."""
    c = how.scale * product(queries, keys.k, (4,), (3,))
    if how.softcap is not None:
        c = how.softcap * jnp.tanh(c / how.softcap)
    visible = _visible(keys.position, s, queries.shape[3], how)
    a = c
    if (mask := added(keys.mask)) is not None:
        a = a + mask.astype(a.dtype)
    elif keys.mask is not None:
        visible = visible & keys.mask
    return jnp.where(visible, a, -jnp.inf), c


def through_softcap(da: Array, c: Array, how: Scoring) -> Array:
    """dm from da."""
    if how.softcap is None:
        return da
    return da * (1 - jnp.square(c / how.softcap))


def scale_of(scale: float | None, q: Array) -> float:
    """The factor of the products: given, or 1 / sqrt(d)."""
    return 1 / math.sqrt(q.shape[3]) if scale is None else scale


def finite(top: Array) -> Array:
    """top, or 0 for a query without visible keys: its top is -inf, and -inf - -inf is NaN."""
    return jnp.where(jnp.isfinite(top), top, 0)


def _visible(position, s, t, how):
    """Whether each query may attend to each key by position: (n|1, 1, 1, t|1, l)."""
    of_example = lambda a: a.astype(position.dtype).reshape(-1, 1, 1, 1, 1)
    key = position.reshape(1, 1, 1, 1, -1)
    visible = key < s
    if how.lengths is not None:
        visible = visible & (key < of_example(how.lengths))
    query = lax.broadcasted_iota(position.dtype, (1, 1, 1, t, 1), 3)
    if how.offset is not None:
        query = query + of_example(how.offset)
    if how.causal:
        visible = visible & (key <= query)
    if how.window is not None:
        visible = visible & (key > query - how.window) & (key < query + how.window)
    return visible


def product(a, b, over_a, over_b):
    """Sum a * b over `over_a` of a and `over_b` of b, for each n and g, in float32 or float64."""
    dims = ((over_a, over_b), ((0, 1), (0, 1)))
    return lax.dot_general(
        a, b.astype(a.dtype), dims, preferred_element_type=accumulation_dtype(a.dtype)
    )


def for_product(a, dtype):
    """Round a to bfloat16 if `dtype` is bfloat16, for faster products.

    For other dtypes a is unchanged. It is not rounded to float16, whose range is too small: a may
    overflow where the sum of products does not.
    """
    return a.astype(dtype) if dtype == jnp.bfloat16 else a
