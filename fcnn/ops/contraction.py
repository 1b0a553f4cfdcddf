"""One matrix product, with its sums kept in float32 when the factors are shorter."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array, lax


def contract(
    a: Array,
    b: Array,
    over: tuple[Sequence[int], Sequence[int]],
    batch: tuple[Sequence[int], Sequence[int]] = ((), ()),
) -> Array:
    """Sum a * b over the axes `over`; the axes left are batch, a's, b's, in this order."""
    return contract_wide(a, b, over, batch).astype(a.dtype)


def contract_wide(
    a: Array,
    b: Array,
    over: tuple[Sequence[int], Sequence[int]],
    batch: tuple[Sequence[int], Sequence[int]] = ((), ()),
) -> Array:
    """The same, left in the dtype that the sum was kept in, for more to be added."""
    return lax.dot_general(a, b, (over, batch), preferred_element_type=accumulation_dtype(a.dtype))


def accumulation_dtype(dtype: jnp.dtype) -> jnp.dtype:
    """The dtype in which sums of `dtype` are kept."""
    return jnp.dtype(jnp.float32) if jnp.finfo(dtype).bits < 32 else dtype
