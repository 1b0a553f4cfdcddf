"""Search for the entry of the data that makes a loss NaN."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fcnn.layers import Layer, shapes
from fcnn.ops.arrays import as_array

BLOCK = 1000  # examples read at a time: data may be memory-mapped


def find_invalid(model: Layer, x: Any, y: Any) -> str:
    """Message about the first entry that is not finite, or not a label of the model; "" if none."""
    for name, a in (("x", x), ("y", y)):
        for start, block in _blocks(name, a):
            if not jnp.issubdtype(block.dtype, jnp.floating):
                break
            invalid = np.argwhere(~np.isfinite(block.astype(np.float32)))
            if len(invalid):
                at = tuple(map(int, invalid[0]))
                where = ", ".join(map(str, (start + at[0], *at[1:])))
                return f"{name}[{where}] is {block[at]}"
    out = shapes(model, x.shape[1:])[2].shape
    for start, block in _blocks("y", y):
        if not out or not jnp.issubdtype(block.dtype, jnp.integer):
            break
        invalid = np.argwhere((block < 0) | (block >= out[-1]))
        if len(invalid):
            at = tuple(map(int, invalid[0]))
            where = ", ".join(map(str, (start + at[0], *at[1:])))
            return f"y[{where}] is {block[at]}, but the model has classes 0 to {out[-1] - 1}"
    return ""


def _blocks(name: str, a: np.ndarray | jax.Array) -> Iterator[tuple[int, np.ndarray]]:
    """Pairs (index of the first example, examples), in the dtype that they have on the device."""
    a = np.asarray(a) if isinstance(a, jax.Array) else a
    for start in range(0, len(a), BLOCK):
        yield start, np.asarray(as_array(name, a[start : start + BLOCK]))
