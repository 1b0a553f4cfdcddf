"""An augmentation from a function of random key and arrays: batches, errors, meshes and dtypes."""

from collections.abc import Callable
from math import isfinite
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from fcnn.ops.arrays import as_array
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.sharding import automatically, explicit_mesh
from fcnn.ops.validation import named, require, require_key, require_numbers

Batch = dict[str, Any]
Augmentation = Callable[[Any, Any], Batch]  # (key, batch) -> batch


def augmentation(
    name: str,
    transform: Callable[..., tuple[jax.Array, ...]],
    validate: Callable[..., None] = lambda *arrays: None,
    entries: tuple[str, ...] = ("x",),
) -> Augmentation:
    """The augmentation that replaces the `entries` of a batch by transform(key, *entries).

    Options:
        name: name in error messages.
        transform: function from the key and the arrays to a tuple of new arrays.
        validate: function of the arrays that raises ValueError or TypeError.
        entries: names of the entries; the first one is x, images (n, h, w, c).
    """

    def augment(key: Any, batch: Any) -> Batch:
        with named(name):
            require_key(key)
            batch = as_batch(batch)
            for entry in entries:
                has = ", ".join(map(repr, batch)) or "no entries"
                require(entry in batch, f"batch has no entry {entry!r}; it has {has}")
            arrays = [as_array(entry, batch[entry]) for entry in entries]
            _require_images(arrays[0])
            validate(*arrays)
            new = _on_mesh(transform, key, *arrays)
        return {**batch, **dict(zip(entries, new, strict=True))}

    augment.__name__ = augment.__qualname__ = name
    return augment


def as_batch(given: Any) -> Batch:
    """`given` as a dict: a dict unchanged, a pair (x, y) as {"x": x, "y": y}.

    Raises: TypeError for any other value.
    """
    match given:
        case dict():
            return given
        case tuple((x, y)):
            return {"x": x, "y": y}
    raise TypeError(f"batch is a {type(given).__name__}, not a dict; write {{'x': x, 'y': y}}")


def require_fill(fill: Any) -> None:
    """TypeError unless `fill` is a static number; ValueError unless it is finite."""
    require_numbers(fill=fill)
    require(isfinite(fill), f"fill {fill} must be finite")


def fill_like(x: jax.Array, fill: float) -> jax.Array:
    """`fill` in the dtype of x.

    Raises: ValueError for uint8 unless `fill` is an integer from 0 to 255.
    """
    fits = x.dtype != jnp.uint8 or (fill == int(fill) and 0 <= fill <= 255)
    require(fits, f"fill {fill} must be an integer from 0 to 255, because x holds uint8")
    return jnp.asarray(fill, x.dtype)


def require_within_image(option: str, value: int, most: int, x: jax.Array) -> None:
    """ValueError if `value`, of the named option, is over `most`."""
    require(value <= most, f"{option} {value} must be at most {most} for images x {x.shape}")


def random_windows(key: jax.Array, x: jax.Array, pad: int, mode: str, fill: float) -> jax.Array:
    """A random window of each image that is padded by `pad` pixels on all sides.

    Shapes: x (n, h, w, c) -> y (n, h, w, c).
    """
    corners = jax.random.randint(key, (x.shape[0], 2), 0, 2 * pad + 1, jnp.int32)
    width = ((0, 0), (pad, pad), (pad, pad), (0, 0))
    options = {"constant_values": fill_like(x, fill)} if mode == "constant" else {}
    padded = jnp.pad(x, width, mode, **options)
    starts = jnp.pad(corners, ((0, 0), (0, 1)))  # (n, 3): all channels, from the first one
    cut = lambda image, start: jax.lax.dynamic_slice(image, start, x.shape[1:])
    return jax.vmap(cut)(padded, starts)


def working_dtype(dtype: jnp.dtype) -> jnp.dtype:
    """The dtype in which pixels of `dtype` are interpolated or scaled: float32 or wider."""
    return jnp.dtype(jnp.float32) if dtype == jnp.uint8 else accumulation_dtype(dtype)


def in_dtype(y: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """y in `dtype`; for uint8 rounded to the nearest integer and clipped to 0..255."""
    return (jnp.clip(jnp.round(y), 0, 255) if dtype == jnp.uint8 else y).astype(dtype)


def _require_images(x):
    advice = f"; write x[..., None] for x {(*x.shape, 1)}" if x.ndim == 3 else ""
    require(x.ndim == 4, f"x {x.shape} needs 4 axes, (n, h, w, c){advice}")
    if not (jnp.issubdtype(x.dtype, jnp.floating) or x.dtype == jnp.uint8):
        advice = "write x.astype(jnp.float32)"
        raise TypeError(f"x holds {x.dtype}, neither floats nor uint8; {advice}")


def _on_mesh(transform, key, x, *others):
    """transform(key, x, *others). On a mesh with explicit axes, results are sharded like x."""
    mesh = explicit_mesh((x, *others))
    if mesh is None:
        return transform(key, x, *others)
    of_x = jax.typeof(x).sharding.spec
    specs = (of_x, *(PartitionSpec(*of_x[:1]) for _ in others))
    return automatically(transform, mesh, specs)(key, x, *others)
