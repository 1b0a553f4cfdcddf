"""Scores of one block of keys, and products of attention in mixed precision.

    a[t,s] = scale sum_d q[t,d] k[s,d] + mask[t,s]      -inf where query t may not attend to key s

Arrays have the layouts of `heads.py`.
"""

import jax.numpy as jnp
from jax import Array, lax

from fcnn.ops.attention.heads import Keys
from fcnn.ops.attention.mask import added
from fcnn.ops.contraction import accumulation_dtype


def scores(queries: Array, keys: Keys, s: int, causal: bool, scale: float) -> Array:
    """The scores a of one block of keys, (n, g, r, t, l), with -inf for masked keys."""
    a = scale * product(queries, keys.k, (4,), (3,))
    position = keys.position.reshape(1, 1, 1, 1, -1)
    visible = position < s
    if causal:
        t = lax.broadcasted_iota(position.dtype, (1, 1, 1, queries.shape[3], 1), 3)
        visible = visible & (position <= t)
    if (mask := added(keys.mask)) is not None:
        a = a + mask.astype(a.dtype)
    elif keys.mask is not None:
        visible = visible & keys.mask
    return jnp.where(visible, a, -jnp.inf)


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
