"""Array layouts of attention: heads by group, keys in blocks of equal length.

    q, y      (n, t, h, d)            ->  (n, g, r, t, d)          head i is the r-th of group g
    k, v      (n, s, g, d)            ->  (b, n, g, l, d)          b blocks of l keys, padded with 0
    mask      (n|1, h|1, t|1, s|1)    ->  (b, n|1, g|1, r|1, t|1, l|1)

where n|1 is an axis of length n or 1. The scores of one block are (n, g, r, t, l).
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array


class Keys(NamedTuple):
    """A block of keys, with its values and its part of the mask."""

    position: Array  # the index of each key, from 0
    k: Array
    v: Array
    mask: Array | None


def by_group(a: Array, g: int) -> Array:
    """(n, t, h, d) -> (n, g, r, t, d)."""
    n, t, h, d = a.shape
    return a.reshape(n, t, g, h // g, d).transpose(0, 2, 3, 1, 4)


def by_head(a: Array) -> Array:
    """(n, g, r, t, d) -> (n, t, h, d)."""
    n, g, r, t, d = a.shape
    return a.transpose(0, 3, 1, 2, 4).reshape(n, t, g * r, d)


def blocks(
    k: Array, v: Array, mask: Array | None, h: int, lengths: Array | None, length: int
) -> Keys:
    """All keys in blocks of `length`, along a new first axis, with 0 at and beyond `lengths`."""
    if lengths is not None:
        position = jnp.arange(k.shape[1])
        real = position[None] < lengths.astype(position.dtype)[:, None]
        k, v = (jnp.where(real[:, :, None, None], a, jnp.zeros_like(a)) for a in (k, v))
    _, s, g, _ = k.shape
    b = max(1, math.ceil(s / length))
    position = jnp.arange(b * length).reshape(b, length)
    k, v = _blocks(k, b, length), _blocks(v, b, length)
    return Keys(position, k, v, _mask_blocks(mask, g, h // g, b, length))


def _blocks(a, b, length):
    """(n, s, g, d) -> (b, n, g, l, d)."""
    n, s, g, d = a.shape
    a = jnp.pad(a, ((0, 0), (0, b * length - s), (0, 0), (0, 0)))
    return a.reshape(n, b, length, g, d).transpose(1, 0, 3, 2, 4)


def blocks_adjoint(a: Array, s: int) -> Array:
    """(b, n, g, l, d) -> (n, s, g, d), without the padding."""
    b, n, g, length, d = a.shape
    return a.transpose(1, 0, 3, 2, 4).reshape(n, b * length, g, d)[:, :s]


def _mask_blocks(mask, g, r, b, length):
    """(n, h, t, s) -> (b, n, g, r, t, l); axes of length 1 keep this length."""
    if mask is None:
        return None
    n, heads, t, s = mask.shape
    mask = mask.reshape(n, *((1, 1) if heads == 1 else (g, r)), t, s)
    if s == 1:
        return jnp.broadcast_to(mask, (b, *mask.shape))
    mask = jnp.pad(mask, (*((0, 0),) * 4, (0, b * length - s)))
    return jnp.moveaxis(mask.reshape(*mask.shape[:-1], b, length), -2, 0)


def mask_blocks_adjoint(a: Array, shape: tuple) -> Array:
    """(b, n, g, r, t, l) -> `shape`, the shape of the mask."""
    if shape[-1] == 1:
        return a.sum(0).reshape(shape)
    b, *_, length = a.shape
    return jnp.moveaxis(a, 0, -2).reshape(*shape[:-1], b * length)[..., : shape[-1]]


def broadcast_adjoint(a: Array, like: Array) -> Array:
    """Adjoint of broadcasting `like` to the shape of a: sum over axes where `like` has length 1."""
    return a.sum([i for i, size in enumerate(like.shape) if size == 1], keepdims=True)
