"""Masks of attention: booleans, True where a query may attend, or floats added to the scores."""

import jax.numpy as jnp
from jax import Array

from fcnn.ops.validation import require, require_floats


def added(mask: Array | None) -> Array | None:
    """The mask if it is added to the scores, None if it is boolean or absent."""
    return None if mask is None or mask.dtype == bool else mask


def require_mask(mask: Array | None, q: Array, scores: tuple) -> None:
    """Raise an error unless `mask` broadcasts to `scores`, and has dtype bool or the dtype of q."""
    if mask is not None:
        if jnp.issubdtype(mask.dtype, jnp.integer):
            raise TypeError(f"mask holds {mask.dtype}; write mask.astype(bool)")
        require_floats(q=q, mask=added(mask))
        require(mask.ndim == 4, f"mask {mask.shape} needs 4 axes (n, h, t, s), of full length or 1")
        fits = all(m in (1, size) for m, size in zip(mask.shape, scores, strict=True))
        require(fits, f"mask {mask.shape} must broadcast to the scores {scores}")
