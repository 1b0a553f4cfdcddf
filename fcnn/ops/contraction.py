"""Matrix product with accumulation in float32 where the factors are float16 or bfloat16."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array, lax


def contract(
    a: Array,
    b: Array,
    over: tuple[Sequence[int], Sequence[int]],
    batch: tuple[Sequence[int], Sequence[int]] = ((), ()),
) -> Array:
    """Sum of a * b over the axes `over`.

    The axes of the result are `batch`, then the other axes of a, then the other axes of b.
    """
    return contract_wide(a, b, over, batch).astype(a.dtype)


def contract_wide(
    a: Array,
    b: Array,
    over: tuple[Sequence[int], Sequence[int]],
    batch: tuple[Sequence[int], Sequence[int]] = ((), ()),
) -> Array:
    """`contract` without rounding: the result keeps the accumulation dtype."""
    return lax.dot_general(a, b, (over, batch), preferred_element_type=accumulation_dtype(a.dtype))


def accumulation_dtype(dtype: jnp.dtype) -> jnp.dtype:
    """The dtype in which sums of `dtype` are accumulated: float32, or `dtype` if it is wider."""
    return jnp.dtype(jnp.float32) if jnp.finfo(dtype).bits < 32 else dtype
