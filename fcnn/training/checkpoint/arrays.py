"""A pytree as a flat dict of plain arrays by path, and back.

Random keys are stored as their uint32 data; their kind is kept as the dtype, such as "key<fry>".
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fcnn.training.paths import path_name, with_paths


class Spec(NamedTuple):
    """Dtype and shape of an array; of a random key, its kind and the shape of its data."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def stored(self) -> Any:
        """The dtype on the disk."""
        return jnp.dtype("uint32" if self.dtype.startswith("key<") else self.dtype)

    def __str__(self) -> str:
        return f"{self.dtype}{self.shape}"


def by_path(tree: Any) -> dict[str, Any]:
    """The leaves of a pytree by path, such as "params/dense1/w".

    Raises: ValueError if two leaves have the same path, such as those of the names 1 and "1".
    """
    leaves = with_paths(tree)
    arrays = dict(leaves)
    if len(arrays) < len(leaves):
        raise ValueError("checkpoint: two arrays of the state have the same path; rename one")
    return arrays


def spec(a: Any) -> Spec:
    """The spec of an array, a random key or a number."""
    return Spec(f"{jnp.result_type(a)}", tuple(jnp.shape(raw(a))))


def raw(a: Any) -> Any:
    """The array without the type of a random key."""
    is_array = not isinstance(a, jax.ShapeDtypeStruct)
    return jax.random.key_data(a) if is_array and _is_key(a) else a


def digest(a: Any) -> str:
    """sha256 of the bytes of an array, in C order."""
    return sha256(np.ascontiguousarray(raw(a)).tobytes()).hexdigest()


def restored(tree: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The tree with the values of `arrays`, by path, in place of its own, on the same devices.

    A leaf keeps its own value if `arrays` has none for it, or one of another shape. A leaf that is
    only a spec gets an array on the default device.
    """
    like = lambda path, a: _like(a, arrays.get(path_name(path)))
    return jax.tree_util.tree_map_with_path(like, tree)


def _like(a, data):
    if data is None or data.shape != spec(a).shape:
        return a
    if isinstance(a, jax.ShapeDtypeStruct):
        return jnp.asarray(data)
    if not isinstance(a, jax.Array):
        return data if isinstance(a, np.ndarray) else type(a)(data.item())
    if _is_key(a):
        data = jax.random.wrap_key_data(data, impl=jax.random.key_impl(a))
    return jax.device_put(data, a.sharding)


def _is_key(a):
    return jnp.issubdtype(jnp.result_type(a), jax.dtypes.prng_key)
