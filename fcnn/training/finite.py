"""Whether all floats of a pytree are finite."""

from typing import Any

import jax
import jax.numpy as jnp

from fcnn.ops.arrays import is_float


def all_finite(tree: Any) -> jax.Array:
    """Whether all floats in a pytree are finite."""
    floats = [a for a in jax.tree.leaves(tree) if is_float(a)]
    return jnp.stack([jnp.isfinite(a).all() for a in floats]).all() if floats else jnp.array(True)
