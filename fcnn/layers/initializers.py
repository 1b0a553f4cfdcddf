"""How parameters start: (key, shape) -> array, for kernels of any rank.

A kernel is (*window, c, o). One output sums fan_in = prod(window) c products and one input enters
fan_out = prod(window) o of them; a variance of about 1 / fan keeps signals at the same size from
layer to layer.

    he       normal, standard deviation sqrt(2 / fan_in)               for relu: He et al. 2015
    glorot   normal, standard deviation sqrt(2 / (fan_in + fan_out))   for tanh: Glorot & Bengio
    2010 (Xavier) lecun    normal, standard deviation sqrt(1 / fan_in)               LeCun et al.
    1998

Raises: ValueError for a fan of a shape with fewer than two axes, or a negative scale.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

Initializer = Callable[[jax.Array, tuple[int, ...]], jax.Array]


def he(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Normal with standard deviation sqrt(2 / fan_in)."""
    fan_in, _ = fans(shape)
    return normal(math.sqrt(2 / fan_in))(key, shape)


def glorot(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Normal with standard deviation sqrt(2 / (fan_in + fan_out)); also called Xavier."""
    return normal(math.sqrt(2 / sum(fans(shape))))(key, shape)


def lecun(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Normal with standard deviation sqrt(1 / fan_in)."""
    fan_in, _ = fans(shape)
    return normal(math.sqrt(1 / fan_in))(key, shape)


def zeros(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """All 0."""
    return jnp.zeros(shape)


def ones(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """All 1."""
    return jnp.ones(shape)


def normal(std: float = 0.01) -> Initializer:
    """Normal with mean 0 and standard deviation `std`."""
    if std < 0:
        raise ValueError(f"normal: std {std} must not be negative")
    return lambda key, shape: std * jax.random.normal(key, shape)


def uniform(bound: float = 0.01) -> Initializer:
    """Uniform on [-bound, bound)."""
    if bound < 0:
        raise ValueError(f"uniform: bound {bound} must not be negative")
    return lambda key, shape: jax.random.uniform(key, shape, minval=-bound, maxval=bound)


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """fan_in and fan_out of a kernel (*window, c, o)."""
    if len(shape) < 2:
        raise ValueError(f"initializer: shape {shape} has no fan; use zeros, normal or uniform")
    *window, c, o = shape
    return math.prod(window) * c, math.prod(window) * o
