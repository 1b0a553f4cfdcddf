"""Masks of attention, and validation of what determines its scores.

A mask holds booleans, True where a query may attend, or floats, which are added to the scores.
"""

import math
from typing import Any

import jax.numpy as jnp
from jax import Array

from fcnn.ops.validation import (
    require,
    require_counts,
    require_flags,
    require_floats,
    require_numbers,
)


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


def require_scores(
    q: Array,
    k: Array,
    mask: Array | None,
    lengths: Array | None,
    offset: Array | None,
    causal: Any,
    window: Any,
    softcap: Any,
    scale: Any,
) -> None:
    """Raise an error unless the arguments determine scores (n, h, t, s)."""
    require_floats(q=q, k=k)
    for letter, a in {"q": q, "k": k}.items():
        require(a.ndim == 4, f"{letter} {a.shape} needs 4 axes")
    (n, t, h, d), (_, s, g, _) = q.shape, k.shape
    require(k.shape == (n, s, g, d), f"q {q.shape} and k {k.shape} differ in n or d")
    require(d > 0, f"q {q.shape} has no features")
    require(
        g > 0 and h % g == 0, f"h {h} of q {q.shape} must be a multiple of g {g} of k {k.shape}"
    )
    require_mask(mask, q, (n, h, t, s))
    require_of_examples(n, lengths=lengths, offset=offset)
    require_band(causal, window, softcap)
    require_numbers(**({} if scale is None else {"scale": scale}))
    require(scale is None or math.isfinite(scale), f"scale {scale} must be finite")


def require_of_examples(n: Any, **arrays: Array | None) -> None:
    """Raise an error unless all arrays that are not None hold one integer per example."""
    for name, a in arrays.items():
        if a is not None:
            if not jnp.issubdtype(a.dtype, jnp.integer):
                raise TypeError(f"{name} holds {a.dtype}, not integers; write {name}.astype(int)")
            require(a.shape == (n,), f"{name} {a.shape} needs shape {(n,)}, one per example")


def require_band(causal: Any, window: Any, softcap: Any) -> None:
    """Raise an error unless these options of attention are valid."""
    require_flags(causal=causal)
    if window is not None:
        require_counts(window=window)
    if softcap is not None:
        require_numbers(softcap=softcap)
        require(0 < softcap < math.inf, f"softcap {softcap} must be positive and finite")
